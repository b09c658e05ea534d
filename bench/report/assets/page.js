// SPDX-License-Identifier: Apache-2.0
// Draws the page's figures from its data: one chart for each .chart element.
(() => {
  'use strict';
  const figures = JSON.parse(document.getElementById('figures').textContent);
  const css = (name) =>
      getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const kDashes = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2], [12, 6]];
  const kColours = 8;
  const kFont = '12px system-ui, sans-serif';

  // The numbers of a figure over the union of its curves' x.
  function columns(figure) {
    const xs = [...new Set(figure.series.flatMap((s) => s.x))].sort(
        (a, b) => a - b);
    const spread = (series, values) => {
      const at = new Map(series.x.map((x, i) => [x, values[i]]));
      return xs.map((x) => (at.has(x) ? at.get(x) : null));
    };
    const data = [xs];
    for (const s of figure.series) {
      data.push(spread(s, s.y));
      if (s.low.length > 0) data.push(spread(s, s.low), spread(s, s.high));
    }
    return data;
  }

  const shown = (figure, v) => v == null ? '–' :
      figure.percent ? (100 * v).toFixed(1) + ' %' : +v.toPrecision(4) + '';

  function seriesOf(figure) {
    const list = [{label: figure.x_label, value: (u, v) =>
      v == null ? '–' : +v.toPrecision(4) + ''}];
    const bands = [];
    for (const s of figure.series) {
      const colour = css('--c' + (s.colour % kColours));
      list.push({label: s.name, stroke: colour, width: 2, spanGaps: true,
        dash: kDashes[s.colour % kDashes.length], points: {size: 6},
        value: (u, v) => shown(figure, v)});
      if (s.low.length === 0) continue;
      const edge = {stroke: 'transparent', width: 0, spanGaps: true,
        points: {show: false}, class: 'band'};
      list.push({label: s.name + ' low', ...edge},
                {label: s.name + ' high', ...edge});
      bands.push({series: [list.length - 1, list.length - 2],
        fill: colour + '22'});
    }
    return {list, bands};
  }

  // The curves' names at their ends, moved apart where they would overlap.
  function label(u, figure, room) {
    const ctx = u.ctx, ratio = devicePixelRatio;
    const gap = 13 * ratio, right = u.bbox.left + u.bbox.width;
    const names = [];
    let at = 1;
    for (const s of figure.series) {
      const values = u.data[at], index = at;
      at += s.low.length > 0 ? 3 : 1;
      if (!u.series[index].show) continue;
      let last = values.length - 1;
      while (last >= 0 && values[last] == null) --last;
      if (last < 0) continue;
      names.push({name: s.name, colour: css('--c' + (s.colour % kColours)),
        y: u.valToPos(values[last], 'y', true),
        x: u.valToPos(u.data[0][last], 'x', true)});
    }
    names.sort((a, b) => a.y - b.y);
    for (const n of names) n.at = n.y;
    for (let i = 1; i < names.length; ++i) {
      names[i].at = Math.max(names[i].at, names[i - 1].at + gap);
    }
    let floor = u.bbox.top + u.bbox.height;
    for (let i = names.length - 1; i >= 0; --i) {
      names[i].at = Math.min(names[i].at, floor);
      floor = names[i].at - gap;
    }
    ctx.save();
    ctx.font = kFont.replace('12px', 12 * ratio + 'px');
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'left';
    for (const n of names) {
      let text = n.name;
      const width = (room - 14) * ratio;
      while (text.length > 2 && ctx.measureText(text).width > width) {
        text = text.replace(/…$/, '').slice(0, -1) + '…';
      }
      ctx.strokeStyle = ctx.fillStyle = n.colour;
      ctx.lineWidth = ratio / 2;
      ctx.beginPath();
      ctx.moveTo(Math.min(n.x, right) + 4 * ratio, n.y);
      ctx.lineTo(right + 10 * ratio, n.at);
      ctx.stroke();
      ctx.fillText(text, right + 12 * ratio, n.at);
    }
    ctx.restore();
  }

  function rule(u, figure) {
    if (figure.rule == null) return;
    const y = u.valToPos(figure.rule, 'y', true), ratio = devicePixelRatio;
    if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) return;
    const ctx = u.ctx;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = css('--muted');
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(u.bbox.left, y);
    ctx.lineTo(u.bbox.left + u.bbox.width, y);
    ctx.stroke();
    ctx.font = kFont.replace('12px', 11 * ratio + 'px');
    ctx.textBaseline = 'bottom';
    ctx.fillText(figure.rule_label, u.bbox.left + 4 * ratio, y - 2 * ratio);
    ctx.restore();
  }

  function range(figure) {
    return (u, low, high) => {
      if (low == null) return [0, 1];
      const pad = (high - low || Math.abs(high) || 1) * .06;
      return [figure.y_min ?? (low >= 0 && low < high / 2 ? 0 : low - pad),
              figure.y_max ?? high + pad];
    };
  }

  function draw(element, figure) {
    const width = element.clientWidth;
    const room = Math.min(170, Math.max(84, width * .28));
    const {list, bands} = seriesOf(figure);
    const axis = {stroke: css('--muted'), font: kFont, labelFont: kFont,
      grid: {stroke: css('--line'), width: 1}, ticks: {show: false}};
    element.replaceChildren();
    return new uPlot({
      width, height: width < 480 ? 280 : 340, series: list, bands,
      padding: [12, room, 0, 0], legend: {live: true}, cursor: {y: false},
      scales: {x: {time: false}, y: {range: range(figure)}},
      axes: [{...axis, label: figure.x_label},
             {...axis, label: figure.y_label, size: 58,
               values: (u, ticks) => ticks.map((v) => figure.percent ?
                   +(100 * v).toPrecision(4) + ' %' : +v.toPrecision(4))}],
      hooks: {
        draw: [(u) => { rule(u, figure); label(u, figure, room); }],
        setSeries: [(u, index, options) => {
          if (index == null || options.show == null) return;
          for (let i = index + 1; i < index + 3; ++i) {
            if (u.series[i]?.class === 'band' &&
                u.series[i].show !== options.show) {
              u.setSeries(i, {show: options.show}, false);
            }
          }
        }],
      },
    }, columns(figure), element);
  }

  const charts = [...document.querySelectorAll('.chart')].map((element) => ({
    element, figure: figures[+element.dataset.figure], width: 0, plot: null}));
  const redraw = (force) => {
    for (const chart of charts) {
      const width = chart.element.clientWidth;
      if (!force && width === chart.width) continue;
      chart.width = width;
      chart.plot?.destroy();
      chart.plot = draw(chart.element, chart.figure);
    }
  };
  redraw(true);
  addEventListener('resize', () => redraw(false));
  matchMedia('(prefers-color-scheme: dark)').addEventListener(
      'change', () => redraw(true));
})();

// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"
#include "daemon/program.h"

int main(int argc, char** argv) {
  return freshline::daemon::RunProgram(argc, argv,
                                       freshline::bench::ShelfCatalogue());
}

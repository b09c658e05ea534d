// SPDX-License-Identifier: Apache-2.0
#include "staleness/sql_expression.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "registry/nearest_name.h"

namespace freshline::staleness {
namespace {

// In the order in which Evaluate() binds them.
constexpr std::array<absl::string_view, 6> kSignals = {
    "pending", "seen", "age_s", "cold", "waiting_s", "regret"};

constexpr std::array<absl::string_view, 17> kFunctions = {
    "abs",   "ceil", "coalesce", "exp",  "floor", "ifnull",
    "iif",   "ln",   "log10",    "max",  "min",   "nullif",
    "power", "pow",  "round",    "sign", "sqrt"};

// SQLite counts steps over all evaluations of a statement and asks whenever
// their number passes a multiple of this one: so often per evaluation is far
// above what any text of kBytesMax needs, as no allowed expression loops.
constexpr int kStepsPerQuestion = 1000;
constexpr int kQuestionsMax = 10;

// SELECTs of the frame around the expression: its own and that of the signals.
constexpr int kSelectsMax = 2;

int Authorize(void* selects, int action, const char*, const char* name,
              const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
      return ++*static_cast<int*>(selects) <= kSelectsMax ? SQLITE_OK
                                                          : SQLITE_DENY;
    case SQLITE_READ:  // there is no table: only the signals can be read
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return std::find(kFunctions.begin(), kFunctions.end(),
                       absl::AsciiStrToLower(name)) != kFunctions.end()
                 ? SQLITE_OK
                 : SQLITE_DENY;
    default:
      return SQLITE_DENY;
  }
}

// Rows of every kind that a metric might tell apart, in a fixed order.
std::vector<RowSignals> StaleRows() {
  using std::chrono::milliseconds;
  std::vector<RowSignals> rows;
  for (const uint32_t pending : {1U, 2U, 3U, 10U, 100U}) {
    for (const uint64_t seen : {0UL, 1UL, 7UL, 50UL, 2000UL}) {
      for (const int64_t age_ms : {10, 2'500, 400'000, 80'000'000}) {
        for (const double regret : {0.0, .3, 1.0, 40.0}) {
          rows.push_back({pending, seen, milliseconds(age_ms),
                          milliseconds(age_ms / 2), regret});
        }
      }
    }
  }
  return rows;
}

int OutOfSteps(void* questions) {
  return ++*static_cast<int*>(questions) > kQuestionsMax ? 1 : 0;
}

}  // namespace

class SqlExpression::Statement {
 public:
  static absl::StatusOr<std::unique_ptr<Statement>> Prepare(
      const std::string& text) {
    auto made = std::make_unique<Statement>();
    FRESHLINE_RETURN_IF_ERROR(made->Open());
    FRESHLINE_RETURN_IF_ERROR(made->Compile(text));
    return made;
  }

  Statement() = default;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() {
    sqlite3_finalize(statement_);
    sqlite3_close(db_);
  }

  std::optional<double> Evaluate(const RowSignals& row) {
    // Counts too are bound as REAL: of integers, SQL's quotient is cut, and
    // pending / (pending + seen) would always be 0.
    sqlite3_bind_double(statement_, 1, row.pending);
    sqlite3_bind_double(statement_, 2, static_cast<double>(row.seen));
    sqlite3_bind_double(statement_, 3, AgeSeconds(row));
    sqlite3_bind_double(statement_, 4, row.seen == 0 ? 1 : 0);
    sqlite3_bind_double(statement_, 5, WaitingSeconds(row));
    sqlite3_bind_double(statement_, 6, row.regret);
    questions_ = 0;
    std::optional<double> value;
    if (sqlite3_step(statement_) == SQLITE_ROW) {
      const int type = sqlite3_column_type(statement_, 0);
      if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
        value = sqlite3_column_double(statement_, 0);
      }
    }
    sqlite3_reset(statement_);
    if (value.has_value() && (!std::isfinite(*value) || *value < 0)) {
      value.reset();
    }
    return value;
  }

 private:
  absl::Status Open() {
    if (sqlite3_open_v2(":memory:", &db_,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        nullptr) != SQLITE_OK) {
      return absl::ResourceExhaustedError("SQLite cannot open a database");
    }
    sqlite3_limit(db_, SQLITE_LIMIT_LENGTH, 4096);
    sqlite3_limit(db_, SQLITE_LIMIT_EXPR_DEPTH, 100);
    sqlite3_limit(db_, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_set_authorizer(db_, Authorize, &selects_);
    return absl::OkStatus();
  }

  absl::Status Compile(const std::string& text) {
    // The line break ends a comment of the expression; the parentheses keep it
    // one expression, and more columns than one are refused.
    std::vector<std::string> columns;
    for (size_t i = 0; i < kSignals.size(); ++i) {
      columns.push_back(absl::StrCat(":f", i + 1, " AS ", kSignals[i]));
    }
    const std::string sql =
        absl::StrCat("SELECT (\n", text, "\n) FROM (SELECT ",
                     absl::StrJoin(columns, ", "), ")");
    const char* rest = nullptr;
    if (sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement_,
                           &rest) != SQLITE_OK) {
      return Refusal(sqlite3_errmsg(db_));
    }
    if (statement_ == nullptr || rest != sql.data() + sql.size() ||
        sqlite3_column_count(statement_) != 1 || !HasOwnParametersOnly()) {
      return Refusal("it has to be one scalar expression without parameters");
    }
    sqlite3_progress_handler(db_, kStepsPerQuestion, OutOfSteps, &questions_);
    return absl::OkStatus();
  }

  // A parameter of the expression would come before those of the frame.
  bool HasOwnParametersOnly() const {
    constexpr int kCount = kSignals.size();
    if (sqlite3_bind_parameter_count(statement_) != kCount) return false;
    for (int i = 1; i <= kCount; ++i) {
      const char* name = sqlite3_bind_parameter_name(statement_, i);
      if (name == nullptr || name != absl::StrCat(":f", i)) return false;
    }
    return true;
  }

  static absl::Status Refusal(absl::string_view reason) {
    const std::vector<std::string> known(kSignals.begin(), kSignals.end());
    absl::string_view unknown = reason;
    if (absl::ConsumePrefix(&unknown, "no such column: ")) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no signal \"", unknown, "\"",
                       registry::SuggestName(std::string(unknown), known)));
    }
    if (reason == "not authorized") {
      return absl::InvalidArgumentError(
          absl::StrCat("subqueries are not allowed: write it over the signals ",
                       absl::StrJoin(kSignals, ", ")));
    }
    return absl::InvalidArgumentError(std::string(reason));
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  int selects_ = 0;
  int questions_ = 0;  // in this evaluation
};

SqlExpression::SqlExpression(absl::string_view expression)
    : text_(expression) {}
SqlExpression::~SqlExpression() = default;

absl::StatusOr<std::unique_ptr<SqlExpression>> SqlExpression::Compile(
    absl::string_view expression) {
  if (absl::StripAsciiWhitespace(expression).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("it is empty: write one over the signals ",
                     absl::StrJoin(kSignals, ", ")));
  }
  if (expression.size() > kBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("it has ", expression.size(),
                                                   " bytes: at most ",
                                                   kBytesMax, " are allowed"));
  }
  auto made = std::unique_ptr<SqlExpression>(new SqlExpression(expression));
  FRESHLINE_ASSIGN_OR_RETURN(std::unique_ptr<Statement> first,
                             Statement::Prepare(made->text_));
  base::MutexLock lock(&made->mu_);
  made->idle_.push_back(std::move(first));
  return made;
}

std::optional<double> SqlExpression::Evaluate(const RowSignals& row) const {
  std::unique_ptr<Statement> statement;
  {
    base::MutexLock lock(&mu_);
    if (!idle_.empty()) {
      statement = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (statement == nullptr) {
    auto made = Statement::Prepare(text_);
    if (!made.ok()) return std::nullopt;
    statement = *std::move(made);
  }
  const std::optional<double> value = statement->Evaluate(row);
  base::MutexLock lock(&mu_);
  idle_.push_back(std::move(statement));
  return value;
}

std::optional<std::string> SqlExpression::Doubt() const {
  std::optional<double> first;
  bool some = false;
  for (const RowSignals& row : StaleRows()) {
    const std::optional<double> value = Evaluate(row);
    if (!value.has_value()) continue;
    if (some && value != first) return std::nullopt;
    first = value;
    some = true;
  }
  if (!some) {
    return "it has no value for any row tried (NULL, negative or infinite): "
           "the pending share will stand in for it always";
  }
  return absl::StrCat(
      "it is ", *first, " for every row tried, whatever is pending",
      *first == 0 ? ": nothing will be refreshed for it" : "",
      "; if that is not meant, mind that whole numbers that are written out "
      "divide to whole numbers (1 / 2 is 0, 1.0 / 2 is 0.5)");
}

}  // namespace freshline::staleness

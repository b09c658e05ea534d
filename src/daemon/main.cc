// SPDX-License-Identifier: Apache-2.0
#include "daemon/program.h"
#include "schedule/policies.h"

int main(int argc, char** argv) {
  return freshline::daemon::RunProgram(
      argc, argv, freshline::schedule::PolicyCatalogue::BuiltIn());
}

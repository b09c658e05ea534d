// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <string>
#include <vector>

#include "cli/command_line.h"

int main(int argc, char** argv) {
  return freshline::cli::RunCommandLine(
      std::vector<std::string>(argv + 1, argv + argc), std::cin, std::cout,
      std::cerr);
}

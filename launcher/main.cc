// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate: the unprivileged launcher. What each verb does is in cli/*_verbs.cc.

#include <sys/stat.h>

#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/output.h"
#include "launcher/base/terminal_table.h"
#include "launcher/cli/command_line.h"
#include "launcher/cli/describe_verbs.h"
#include "launcher/cli/several.h"
#include "launcher/cli/verbs.h"

namespace tapgate {

namespace {

ExitCode run(const std::vector<std::string>& arguments) {
    const CommandLine command = parse_command_line(grammar(), arguments, current_directory());
    if (command.has("help")) {
        print(help_for(*command.grammar, command.verb,
                       command.operands.empty() ? std::string() : command.operands[0],
                       output_width()));
        return ExitCode::done;
    }
    if (command.has("version")) {
        print("tapgate " TAPGATE_VERSION "\n");
        return ExitCode::done;
    }
    // From here on: the verb takes these operands and options, and every setting has a known key.
    return do_command(command);
}

}  // namespace

}  // namespace tapgate

int main(int argc, char** argv) {
    try {
        // The user can always read what is made here, whatever else the umask forbids.
        umask(umask(S_IRWXG | S_IRWXO) & (S_IRWXG | S_IRWXO));
        tapgate::occupy_standard_descriptors();
        // From here on: what is printed goes nowhere but to stdout and stderr.
        return static_cast<int>(
            tapgate::run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc)));
    } catch (const tapgate::UsageError& error) {
        // Point to the help of the verb if there is one, except for `help` itself.
        const bool has_verb = argc > 1 && tapgate::grammar().find(argv[1]) != nullptr &&
                              std::string_view(argv[1]) != "help";
        tapgate::note(std::string(error.what()) + "; see: tapgate help" +
                      (has_verb ? " " + std::string(argv[1]) : ""));
        return static_cast<int>(error.code());
    } catch (const tapgate::LauncherError& error) {
        tapgate::note(error.what());
        return static_cast<int>(error.code());
    } catch (const std::exception& error) {
        tapgate::note(error.what());
        return EXIT_FAILURE;
    }
}

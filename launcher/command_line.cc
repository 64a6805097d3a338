// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/command_line.h"

#include <algorithm>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <sstream>

#include "launcher/error.h"

namespace tapgate {

namespace {

namespace po = boost::program_options;

po::options_description own_options() {
    po::options_description options("Other options");
    options.add_options()("json", "argv: print a JSON array")(
        "null,0", "argv: end each argument with a NUL byte, as xargs -0 reads them")(
        "plain-bridge",
        "argv: let QEMU start the helper itself, without its sandbox, instead of "
        "giving it descriptors")("help,h", "print this")("version", "print the version");
    return options;
}

po::basic_parsed_options<char> parse(const std::vector<std::string>& arguments) {
    po::options_description all;
    // The verb, the name, and what is too much.
    all.add(own_options())
        .add(vm_options())
        .add_options()("word", po::value<std::vector<std::string>>());
    po::positional_options_description positions;
    positions.add("word", -1);
    // No guessing: an abbreviation that works today would be ambiguous tomorrow.
    namespace style = po::command_line_style;
    const int as_usual = style::unix_style & ~style::allow_guessing;
    try {
        return po::command_line_parser(arguments)
            .options(all)
            .positional(positions)
            .style(as_usual)
            .run();
    } catch (const po::unknown_option& unknown) {
        std::string name = unknown.get_option_name();
        name.resize(std::min(name.find('='), name.size()));
        const size_t begin = std::min(name.find_first_not_of('-'), name.size());
        throw UsageError("unknown option " + quoted_word(name) + suggestion(name.substr(begin)));
    } catch (const po::error& error) {
        throw UsageError(shown(error.what()));
    }
}

CommandLine::Verb parse_verb(const std::string& word) {
    if (word == "argv")
        return CommandLine::Verb::argv;
    if (word == "show")
        return CommandLine::Verb::show;
    if (word == "create")
        return CommandLine::Verb::create;
    throw UsageError("unknown verb " + quoted_word(word) + ": it can be argv, create or show");
}

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments,
                               const std::string& directory) {
    CommandLine result;
    std::vector<std::string> words;
    for (const auto& option : parse(arguments).options) {
        const std::string& key = option.string_key;
        if (key == "word") {
            words.insert(words.end(), option.value.begin(), option.value.end());
        } else if (key == "help") {
            return {};
        } else if (key == "version") {
            result.verb = CommandLine::Verb::version;
            return result;
        } else if (key == "json") {
            result.output = CommandLine::Output::json;
        } else if (key == "null") {
            result.output = CommandLine::Output::null_separated;
        } else if (key == "plain-bridge") {
            result.plain_bridge = true;
        } else {
            for (const std::string& value : option.value)
                result.settings.push_back(command_line_setting(key, value, directory));
        }
    }
    if (words.empty())
        throw UsageError("a verb is missing: argv, create or show");
    result.verb = parse_verb(words[0]);
    if (words.size() < 2)
        throw UsageError(words[0] + " needs the VM's name");
    if (words.size() > 2)
        throw UsageError(quoted_word(words[2]) + " means nothing here");
    result.name = VmName::parse(words[1]);
    if (!result.name)
        throw UsageError(quoted_word(words[1]) +
                         " is not a VM's name: a letter, then letters, digits, '.', '_' and '-', "
                         "40 bytes at most");
    const bool is_argv = result.verb == CommandLine::Verb::argv;
    if (!is_argv && (result.output != CommandLine::Output::shell || result.plain_bridge))
        throw UsageError("--json, --null and --plain-bridge are argv's");
    return result;
}

std::string help_text() {
    std::ostringstream text;
    text
        << "tapgate: from a short description of a VM to QEMU's command line\n\n"
           "  tapgate create NAME [OPTION...]   write the VM file of NAME\n"
           "  tapgate show NAME [OPTION...]     print each setting, and where it comes from\n"
           "  tapgate argv NAME [OPTION...]     print QEMU's command line; start nothing\n\n"
           "VM options are the keys of VM files too (~/.config/tapgate/NAME.conf), and variables\n"
           "of the environment, as TAPGATE_MEMORY. In lists a comma of a name is written twice.\n\n"
        << vm_options() << '\n'
        << own_options();
    return text.str();
}

}  // namespace tapgate

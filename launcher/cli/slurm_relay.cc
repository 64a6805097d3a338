// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/slurm_relay.h"

#include <unistd.h>

#include <algorithm>

#include "launcher/base/directories.h"
#include "launcher/base/output.h"
#include "launcher/base/text.h"
#include "launcher/vm/file_text.h"

namespace tapgate {

std::vector<std::string> words_there(const CommandLine& command) {
    const std::string here = current_directory() + "/";
    const auto absolute = [&](const std::string& path) {
        return path.empty() || path.starts_with('/') ? path : here + path;
    };
    const std::string_view verb = command.verb->name;
    std::vector<std::string> words = {std::string(verb)};
    words.insert(words.end(), command.operands.begin(), command.operands.end());
    if (verb == "attach") {
        const size_t equals = words[2].find('=');
        const std::string key = words[2].substr(0, equals);
        if (equals != std::string::npos && (key == "disk" || key == "cdrom"))
            words[2] = key + "=" +
                       absolute_value(command_line_setting(key, words[2].substr(equals + 1),
                                                           current_directory()));
    } else if (words.size() > 2 &&
               (verb == "eject" ||
                (verb == "detach" && words[2].find_first_of("/.") != std::string::npos))) {
        words[2] = absolute(words[2]);
    }
    for (const auto& [option, value] : command.options) {
        const bool is_file =
            option == "user-data" || option == "network-config" || option == "ssh-key";
        const auto known =
            std::find_if(command.grammar->options.begin(), command.grammar->options.end(),
                         [&, &option = option](const auto& one) { return one.name == option; });
        words.push_back("--" + option);
        if (known != command.grammar->options.end() && !known->argument.empty())
            words.back() += "=" + (is_file ? absolute(value) : value);
    }
    for (const Setting& setting : command.settings)
        words.push_back("--" + setting.key + "=" + absolute_value(setting));
    if (!command.rest.empty())
        words.emplace_back("--");
    words.insert(words.end(), command.rest.begin(), command.rest.end());
    return words;
}

void note_missing_there(const SlurmJob& job, const CommandLine& command) {
    const std::string_view verb = command.verb->name;
    if ((verb != "attach" && verb != "eject") || command.operands.size() < 2)
        return;
    const std::string& word = command.operands[1];
    const std::string path = verb == "eject" ? word : word.substr(word.find('=') + 1);
    if (access(path.substr(0, path.find(',')).c_str(), F_OK) == 0)
        note(shown(word) + " is looked for on " + shown(job.node) + ", where " + job.vm.str() +
             " runs; a shared directory has it on both");
}

}  // namespace tapgate

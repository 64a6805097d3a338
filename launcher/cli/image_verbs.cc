// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/image_verbs.h"

#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/progress_bar.h"
#include "launcher/base/question.h"
#include "launcher/base/terminal_table.h"
#include "launcher/base/text.h"
#include "launcher/cli/command_line.h"
#include "launcher/cli/new_verbs.h"
#include "launcher/cli/operand.h"
#include "launcher/cli/other_words.h"
#include "launcher/image/clone.h"
#include "launcher/image/resize.h"
#include "launcher/image/seed.h"
#include "launcher/image/snapshots.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/file.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

constexpr std::uint64_t mebibyte = 1024ULL * 1024;

// Enough for the RAM of a large guest on a slow disk.
constexpr std::chrono::milliseconds snapshot_limit{600000};

// A tag has the form of a VM's name, since qemu-img takes a number for the snapshot with that id.
std::string parse_tag(const std::string& word) {
    if (!VmName::parse(word))
        throw UsageError(quoted_word(word) +
                         " is not a tag: a letter, then letters, digits, '.', '_' and '-', 40 "
                         "bytes at most");
    return word;
}

// For cloud-init's files, in bytes.
constexpr size_t most_user_data = 1024UL * 1024;

std::string local_time(std::int64_t seconds) {
    const std::time_t time = seconds;
    std::tm parts{};
    std::string text(32, '\0');
    if (localtime_r(&time, &parts) == nullptr)
        return "-";
    text.resize(std::strftime(text.data(), text.size(), "%F %T", &parts));
    return text;
}

void list_snapshots(const VmName& name, bool as_json) {
    std::vector<std::vector<std::string>> rows = {{"TAG", "DATE", "SIZE", "RAM", ""}};
    nlohmann::json json = nlohmann::json::array();
    for (const Snapshot& one : snapshots_of(name)) {
        json.push_back({{"tag", one.tag},
                        {"date", one.date},
                        {"size", one.ram},
                        {"ram", one.ram > 0},
                        {"complete", one.on_all_disks}});
        rows.push_back({shown(one.tag), local_time(one.date),
                        one.ram > 0 ? std::to_string(one.ram / mebibyte + 1) + " MiB" : "-",
                        one.ram > 0 ? "with" : "without",
                        one.on_all_disks ? "" : "not on all disks"});
    }
    if (as_json)
        print_json(json);
    else if (rows.size() > 1)
        print(fitted_table(rows, output_width()));
    else
        note(name.str() + " has no snapshots; one is made by: tapgate snapshot save " + name.str() +
             " TAG");
}

}  // namespace

ExitCode clone_vm(const CommandLine& command) {
    const VmName name = parse_vm_name(command.operands.at(1));
    if (is_image(command.operands[0])) {
        make_shown({.name = name,
                    .from = image_setting(command.operands[0]),
                    .size = {},
                    .settings = command.settings});
        return ExitCode::done;
    }
    refuse_bare_file(command);
    const VmName base = command.vm_name();
    ProgressBar bar("reading the images of " + base.str());
    for (const std::string& one :
         clone_vm(base, name, command.settings, [&](double percent) { bar.show(percent); }))
        note(one);
    print(shown(vm_file_path(name)) + "\n");
    return ExitCode::done;
}

ExitCode keep_snapshots(const CommandLine& command) {
    const std::string& what = command.operands[0];
    const VmName name = parse_vm_name(command.operands[1]);
    const bool list = what == "list";
    if (const std::string_view meant = said_here("snapshot " + what); !meant.empty())
        throw UsageError("unknown word " + quoted_word(what) + "; here it is: tapgate " +
                         std::string(meant));
    if (!list && what != "save" && what != "restore" && what != "delete")
        throw UsageError(quoted_word(what) + " is none of save, list, restore, delete");
    if (list != (command.operands.size() == 2))
        throw UsageError(list ? "snapshot list takes no tag" : "snapshot " + what + " needs a TAG");
    if (!list && command.has("json"))
        throw UsageError("only snapshot list takes --json");
    if (list) {
        list_snapshots(name, command.has("json"));
        return ExitCode::done;
    }
    const std::string tag = parse_tag(command.operands[2]);
    const auto limit = command.seconds("timeout", snapshot_limit);
    if (what != "save" && !command.has("yes") && can_ask() &&
        !agreed(what == "restore" ? "Going back to " + tag + " gives up all that " + name.str() +
                                        " has written since. Go on"
                                  : "The snapshot " + tag + " will be gone. Go on"))
        throw LauncherError("nothing was done");
    if (what == "save")
        save_snapshot(name, tag, limit);
    else if (what == "restore")
        restore_snapshot(name, tag, limit);
    else
        delete_snapshot(name, tag, limit);
    return ExitCode::done;
}

ExitCode seed_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    if (!has_vm_file(name))
        throw no_such_vm(name);
    const auto text_of = [&](const std::string& option) {
        if (!command.has(option))
            return std::string();
        auto text = read_file(command.option(option), most_user_data);
        if (!text || text->empty())
            throw LauncherError(shown(command.option(option)) + ": no such file, or an empty one");
        return std::move(*text);
    };
    std::string user_data = text_of("user-data");
    if (!user_data.empty() && (command.has("user") || command.has("ssh-key")))
        throw UsageError(
            "--user-data is all that the guest is told: --user and --ssh-key would "
            "have no effect");
    if (user_data.empty()) {
        const SeedUser user = {
            .name = command.has("user") ? command.option("user") : own_login_name(),
            .ssh_keys = command.has("ssh-key") ? read_public_keys(command.option("ssh-key"))
                                               : own_public_keys(home_directory())};
        user_data = user_data_of(user);
    }
    attach_seed(name, make_seed(name, command.option("hostname", hostname_of(name)), user_data,
                                text_of("network-config")));
    print(shown(seed_path(name)) + "\n");
    if (vm_state(name).qemu != 0)
        note(name.str() + " is running; its guest finds the seed at its next start");
    return ExitCode::done;
}

ExitCode resize_disk(const CommandLine& command) {
    const VmName name = command.vm_name();
    const std::string& word = command.operands[1];
    const bool more = word.starts_with('+');
    const auto size = MemorySize::parse(std::string_view(word).substr(more ? 1 : 0));
    if (!size)
        throw UsageError(quoted_word(word) + " is not a size, like 512M or 20G, or +5G, up to 16T");
    const std::string number = command.operands.size() > 2 ? command.operands[2] : "0";
    const auto index = parse_whole<size_t>(number);
    if (!index)
        throw UsageError(quoted_word(number) + " is not the number of a disk; the first one is 0");
    const std::uint64_t before = grow_disk(name, *index, size->mebibytes() * mebibyte, more);
    const std::uint64_t after = size->mebibytes() + (more ? before / mebibyte : 0);
    note("disk " + number + " of " + name.str() + " has " + size_text(after) + ", and had " +
         size_text(before / mebibyte) +
         "; the guest has to use them: growpart /dev/DISK N, then resize2fs or xfs_growfs (cloud "
         "images do so by themselves when they start)");
    return ExitCode::done;
}

}  // namespace tapgate

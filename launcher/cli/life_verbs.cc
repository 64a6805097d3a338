// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/life_verbs.h"

#include <unistd.h>

#include "launcher/base/batch_job.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/progress_bar.h"
#include "launcher/base/question.h"
#include "launcher/base/text.h"
#include "launcher/cli/operand.h"
#include "launcher/cluster/slurm.h"
#include "launcher/image/clone.h"
#include "launcher/image/lock.h"
#include "launcher/image/ram_remains.h"
#include "launcher/qemu/control.h"
#include "launcher/qemu/medium.h"
#include "launcher/qemu/standstill.h"
#include "launcher/run/attach.h"
#include "launcher/run/background.h"
#include "launcher/run/ending.h"
#include "launcher/run/supervisor.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/options.h"
#include "launcher/vm/setting.h"
#include "launcher/vm/state.h"
#include "launcher/vm/values.h"

namespace tapgate {

namespace {

// A descriptor that the process which started this one left open for it.
UniqueFd inherited_fd(const CommandLine& command, const std::string& option) {
    if (!command.has(option))
        return {};
    const auto fd = parse_whole<int>(command.option(option), STDERR_FILENO + 1);
    if (!fd)
        throw UsageError("--" + option + " is tapgate's own");
    return UniqueFd(*fd);
}

// Throws if the VM does not run here and yet its disks are in use, not by another VM of this host:
// it cannot be ended from here, but it is not off either.
void refuse_elsewhere(const VmName& name) {
    if (vm_state(name).life != Life::off || !has_vm_file(name))
        return;
    const std::string host = host_of_running(name);
    if (!host.empty())
        throw LauncherError(name.str() + " does not run on this host but on " + shown(host) +
                            "; end it there");
    for (const Disk& disk : load_vm_file(name).spec.disks) {
        const std::string& path = disk.path.str();
        if (!disk.read_only && image_use(path) == ImageUse::writing && !vm_with_image(path))
            throw LauncherError(name.str() + " does not run on this host, and yet " + shown(path) +
                                " is in use, by " + image_user(path) + "; end it there");
    }
}

// On this host there is no queue to wait in.
void refuse_timeout(const CommandLine& command) {
    if (command.has("timeout"))
        throw UsageError(std::string(command.verb->name) +
                         " takes --timeout only for a VM with on=slurm");
}

// Starts the VM in the background, and returns the exit code.
ExitCode start_in_background(const CommandLine& command) {
    const VmName name = described_vm(command).spec.name;
    const ExitCode code = start_supervisor(
        name, command.seconds("powerdown-limit", PowerDown::Limits().guest), start_words(command));
    if (code == ExitCode::done)
        print(name.str() + " runs\n");
    return code;
}

// The command line with which the VM was started, as far as `command` does not override it.
CommandLine as_started(const CommandLine& command) {
    const auto record = read_run_record(command.vm_name());
    return record ? with_words(command, record->words) : command;
}

ExitCode interrupt(const CommandLine& command, const char* qmp) {
    const VmName name = command.vm_name();
    require_running(name);
    qmp_command(name, qmp);
    return ExitCode::done;
}

}  // namespace

std::vector<std::string> start_words(const CommandLine& command) {
    const std::string& operand = command.operands.at(0);
    std::vector<std::string> words = {is_image(operand) && !operand.starts_with('/')
                                          ? current_directory() + "/" + operand
                                          : operand};
    for (const char* option : {"helper", "powerdown-limit"}) {
        if (command.has(option))
            words.push_back("--" + std::string(option) + "=" + command.option(option));
    }
    for (const char* option : {"plain-bridge", "quiet"}) {
        if (command.has(option))
            words.push_back("--" + std::string(option));
    }
    for (const Setting& setting : command.settings)
        words.push_back("--" + setting.key + "=" + absolute_value(setting));
    return words;
}

CommandLine with_words(const CommandLine& command, std::vector<std::string> words) {
    words.insert(words.begin(), "restart");
    CommandLine result = parse_command_line(*command.grammar, words, current_directory());
    for (const auto& [option, value] : command.options)
        result.options[option] = value;
    for (const Setting& given : command.settings)
        std::erase_if(result.settings, [&](const Setting& old) { return old.key == given.key; });
    result.settings.insert(result.settings.end(), command.settings.begin(), command.settings.end());
    return result;
}

ExitCode run_vm(const CommandLine& command) {
    refuse_timeout(command);
    const auto job = batch_job();
    if (job && job->in_batch_script && !job->is_task && !command.has("ready-fd"))
        throw LauncherError(
            "in a batch script Slurm's signals reach its shell only, and when that has ended the "
            "VM "
            "would lose its power; let tapgate take the shell's place: exec tapgate run " +
            shell_word(command.operands.at(0)));
    PowerDown::Limits limits;
    if (job && job->system == BatchJob::System::slurm)
        limits.guest = power_down_limit_in_job(kill_wait());
    limits.guest = command.seconds("powerdown-limit", limits.guest);
    return supervise(described_vm(command).spec, {.helper = command.option("helper"),
                                                  .plain_bridge = command.has("plain-bridge"),
                                                  .quiet = command.has("quiet"),
                                                  .console = !command.has("no-console"),
                                                  .limits = limits,
                                                  .ready = inherited_fd(command, "ready-fd"),
                                                  .words = start_words(command)});
}

ExitCode start_vm(const CommandLine& command) {
    refuse_timeout(command);
    if (const auto job = batch_job(); job && job->is_task)
        throw LauncherError(
            "what runs in the background ends with this job, and that with this command; here the "
            "way is: tapgate run " +
            shell_word(command.operands.at(0)));
    return start_in_background(command);
}

ExitCode stop_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    const auto limit = command.seconds("timeout", PowerDown::Limits().guest);
    refuse_elsewhere(name);
    if (const UniqueFd qemu = running_qemu(name))
        power_down_vm(name, qemu, limit, command.has("force"));
    if (vm_state(name).life != Life::off)
        settle(name);
    return ExitCode::done;
}

ExitCode kill_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    refuse_elsewhere(name);
    if (const UniqueFd qemu = running_qemu(name))
        end_by_force(name, qemu);
    if (vm_state(name).life != Life::off)
        settle(name);
    return ExitCode::done;
}

ExitCode restart_vm(const CommandLine& command) {
    const CommandLine again = as_started(command);
    // Before it is stopped: a VM that cannot be started again should go on.
    described_vm(again);
    stop_vm(command);
    return start_in_background(again);
}

void ask_before_reset(const CommandLine& command) {
    if (!command.has("yes") && can_ask() &&
        !agreed("Going back to its base gives up all that " + command.vm_name().str() +
                " has written to its disks, and its snapshots. Go on"))
        throw LauncherError("nothing was done");
}

ExitCode reset_vm(const CommandLine& command) {
    if (!command.has("to-base")) {
        if (command.has("force"))
            throw UsageError("reset takes --force only with --to-base");
        return interrupt(command, "system_reset");
    }
    const VmName name = command.vm_name();
    // Before its power is cut: a VM that cannot be reset should go on.
    require_resettable(name);
    ask_before_reset(command);
    if (vm_state(name).qemu != 0) {
        if (!command.has("force"))
            throw LauncherError(name.str() + " runs; end it first, with: tapgate stop " +
                                name.str() + "; or cut its power with --force");
        kill_vm(command);
    }
    ProgressBar bar("reading the images that " + name.str() + " stands on");
    for (const std::string& one : reset_to_base(name, [&](double percent) { bar.show(percent); }))
        note(one);
    note(name.str() + " is as its base is; start it with: tapgate start " + name.str());
    return ExitCode::done;
}

ExitCode eject_cd(const CommandLine& command) {
    const VmName name = command.vm_name();
    require_running(name);
    if (command.operands.size() < 2) {
        take_medium(name, command.has("force"));
    } else {
        const std::string path = absolute_path(command.operands[1]);
        // QEMU would find out that a VM writes to it with the old CD out of the drive.
        refuse_conflicting_use(path, ImageUse::reading);
        insert_medium(name, path, command.has("force"));
    }
    note("until " + name.str() + " ends; what it is started with: tapgate set " + name.str() +
         " cdrom=" + (command.operands.size() < 2 ? "" : shown(command.operands[1])));
    return ExitCode::done;
}

ExitCode attach_to_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    const std::string& word = command.operands.at(1);
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    if (key != "disk" && key != "net" && key != "cdrom")
        throw UsageError(quoted_word(word) +
                         ": what can be attached is disk=FILE, cdrom=FILE or net=bridge:NAME");
    if (equals == std::string::npos || equals + 1 == word.size())
        throw UsageError(quoted_word(word) + ": a value is missing: " + key + "=" +
                         argument_of(*find_vm_option(key)));
    require_running(name);
    // Before its format is asked for.
    if (const std::string path =
            key == "disk" ? absolute_path(split_at_commas(word.substr(equals + 1)).at(0)) : "";
        !path.empty() && !exists(path) && way_to_a_disk(path).empty())
        throw LauncherError(shown(path) + ": there is no such image");
    if (key == "cdrom")  // as in eject_cd()
        refuse_conflicting_use(absolute_path(word.substr(equals + 1)), ImageUse::reading);
    // Including the helper that it was started with.
    const CommandLine started = as_started(command);
    const std::string id =
        attach_device(described_vm(started).spec,
                      command_line_setting(key, word.substr(equals + 1), current_directory()),
                      {started.option("helper"), command.has("force"), command.has("save")});
    print(name.str() + " has " + id + "\n");
    if (!command.has("save"))
        note("until " + name.str() + " ends; with --save it is in its VM file, too");
    return ExitCode::done;
}

ExitCode detach_from_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    std::string word = command.operands.at(1);
    for (const std::string_view key : {"disk=", "cdrom=", "net="})
        if (word.starts_with(key))
            throw UsageError(quoted_word(word) +
                             ": detach takes the name that attach has printed, as disk1, nic1 or "
                             "cdrom0, or a disk's file alone");
    require_running(name);
    // disk1, nic1 and cdrom0 are devices; everything else is a file.
    if (word.find_first_of("/.") != std::string::npos && !word.starts_with('/'))
        word = current_directory() + "/" + word;
    DetachOptions options{.force = command.has("force"), .save = command.has("save")};
    options.limit = command.seconds("timeout", options.limit);
    detach_device(name, word, options);
    return ExitCode::done;
}

ExitCode pause_vm(const CommandLine& command) {
    return interrupt(command, "stop");
}

ExitCode resume_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    require_running(name);
    if (const std::string mended = mend_grown_disk(name); !mended.empty()) {
        note(mended);
        if (guest_status(name) == "running")
            return ExitCode::done;
    }
    let_go_on(name);
    return ExitCode::done;
}

}  // namespace tapgate

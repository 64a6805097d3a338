// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/slurm_verbs.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "launcher/base/batch_job.h"
#include "launcher/base/child_process.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/program.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/cli/life_verbs.h"
#include "launcher/cli/operand.h"
#include "launcher/cli/slurm_look.h"
#include "launcher/cli/slurm_relay.h"
#include "launcher/cluster/slurm.h"
#include "launcher/cluster/step.h"
#include "launcher/image/clone.h"
#include "launcher/lab/file.h"
#include "launcher/vm/file.h"
#include "launcher/vm/known_hosts.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The time between two questions to Slurm: short at first, since an idle node gets the job at once.
constexpr milliseconds first_pause{100};
constexpr milliseconds longest_pause{2000};
// How often a long wait is reported again.
constexpr seconds tell_again{60};
// For a step that asks whether QEMU runs.
constexpr seconds step_limit{20};
// From the VM's end to the job's, for Slurm's epilog.
constexpr seconds end_limit{60};

// The verbs of a VM that has a job, and which of their operands names it.
struct Reaching {
    std::string_view verb;
    size_t operand = 0;
};
constexpr Reaching reaching[] = {
    {"stop"},   {"kill"},   {"reset"},  {"pause"},       {"resume"}, {"status"},    {"console"},
    {"log"},    {"vnc"},    {"delete"}, {"snapshot", 1}, {"clone"},  {"seed"},      {"resize"},
    {"ip"},     {"ssh"},    {"wait"},   {"screenshot"},  {"exec"},   {"ssh-proxy"}, {"eject"},
    {"attach"}, {"detach"}, {"events"}, {"rename"},      {"view"},   {"doctor"}};

// Verbs that are interactive there if they are here; for a snapshot it may be a question.
bool wants_terminal(std::string_view verb) {
    return (verb == "console" || verb == "ssh" || verb == "view" || verb == "snapshot") &&
           isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
}

// Is it /dev/null, from which nothing will ever come?
bool is_null(int fd) {
    struct stat status {};
    struct stat null {};
    return fstat(fd, &status) == 0 && stat("/dev/null", &null) == 0 && S_ISCHR(status.st_mode) &&
           status.st_rdev == null.st_rdev;
}

// The end of what the job has written, fit for a terminal.
std::string log_text(const VmName& name) {
    constexpr size_t most = 64UL * 1024;
    const auto text = read_file(slurm_log_path(name), most);
    return text ? terminal_text(*text) : "";
}

std::string lab_of(const VmName& name) {
    const auto text = read_file(vm_file_path(name));
    return text ? lab_of_vm_file(*text) : "";
}

// The job's command: it runs the VM on whatever host the job is on.
std::vector<std::string> job_command(const CommandLine& command) {
    std::vector<std::string> words = {own_program(), "run"};
    for (const std::string& word : start_words(command))
        if (!word.starts_with("--on="))
            words.push_back(word);
    words.insert(words.end(), {"--on=here", "--no-console"});
    return words;
}

// Waits for `pause`, or until a signal comes, whose name it returns.
std::string signal_within(const StopSignals& stop, milliseconds pause) {
    pollfd fd{stop.fd(), POLLIN, 0};
    if (poll(&fd, 1, static_cast<int>(pause.count())) < 0 && errno != EINTR)
        fail_with_errno("poll");
    return stop.take();
}

// Does QEMU run in the job? A step asks that there.
bool runs_there(const SlurmJob& job) {
    prepare_step();
    try {
        return run_program(srun_words(job, {own_program(), "wait", job.vm.str(), "--for=running",
                                            "--timeout=" + std::to_string(step_limit.count() / 2)}),
                           step_limit)
                   .exit_code == 0;
    } catch (const LauncherError&) {
        // The job may have ended meanwhile, which the queue shows.
        return false;
    }
}

LauncherError did_not_start(const VmName& name, const std::string& id) {
    const std::string end = job_end(id);
    const std::string words = log_text(name);
    LauncherError error(name.str() + " did not start: job " + id +
                        (end.empty() ? " has ended" : ": " + end) +
                        (words.empty() ? "; nothing is in " + shown(slurm_log_path(name))
                                       : "; its words:\n" + words));
    return error;
}

LauncherError was_not_started(const VmName& name, const std::string& why, const std::string& id) {
    LauncherError error(name.str() + " was not started: " + why + "; job " + id + " is cancelled",
                        code_of_signal(why));
    return error;
}

void tell_wait(const VmName& name, const std::string& why, const std::string& id) {
    note(name.str() + ": " + why + " (job " + id + ") ...");
}

// Waits until the VM of the job `id` runs, and reports what Slurm waits for. If a signal or `limit`
// ends the wait, the job is cancelled. A Slurm that does not answer for a while, as when its
// controller restarts, has the job all the same.
SlurmJob wait_until_running(const VmName& name, const std::string& id, const StopSignals& stop,
                            std::optional<milliseconds> limit) {
    const auto begin = Clock::now();
    auto pause = first_pause;
    auto tell = begin;
    std::string told;
    for (;;) {
        std::optional<SlurmJob> job;
        std::string state;
        try {
            job = slurm_job(name);
            if (!job || job->id != id || job->is_ending())
                throw did_not_start(name, id);
        } catch (const SlurmSilence&) {
            state = "Slurm does not answer just now";
        }
        if (job && job->runs() && runs_there(*job))
            return *job;
        if (job)
            state = job->runs() ? "it starts on " + job->node : job->state_text();
        const auto now = Clock::now();
        // Slurm says "None" before it has looked at the job.
        const bool looks = job && job->waits() && job->reason == "None";
        if ((state != told || now >= tell) && !looks) {
            tell_wait(name, state, id);
            told = state;
            tell = now + tell_again;
        }
        std::string why = signal_within(stop, pause);
        if (why.empty() && limit && now - begin > *limit)
            why = "not within " + std::to_string(limit->count() / 1000) + " s";
        if (!why.empty()) {
            cancel_job(id);
            throw was_not_started(name, why, id);
        }
        pause = std::min(pause * 3 / 2, longest_pause);
    }
}

// Waits until Slurm is done with the job, too: then nothing of it is left on the node.
void wait_until_gone(const VmName& name, const std::string& id, seconds limit) {
    const auto deadline = Clock::now() + limit;
    for (;;) {
        const auto job = slurm_job(name);
        if (!job || job->id != id)
            return;
        if (Clock::now() > deadline)
            throw LauncherError(name.str() + " has not ended within " +
                                std::to_string(limit.count()) + " s: " + job->state_text() + ", " +
                                job_text(*job));
        std::this_thread::sleep_for(first_pause * 2);
    }
}

// Submits the job, and waits until its guest runs.
SlurmJob start_job(const CommandLine& command, const VmDescription& vm, const StopSignals& stop) {
    const VmName& name = vm.spec.name;
    if (const auto job = slurm_job(name); job && !job->is_ending())
        throw LauncherError(name.str() + " is " + job->state_text() + " already (" +
                            job_text(*job) + "); see tapgate status " + name.str());
    const std::string log = slurm_log_path(name);
    make_private_directory(data_directory());
    make_private_directory(log.substr(0, log.rfind('/')));
    // The job appends to it, if it says anything; an earlier job's words are not its own.
    if (exists(log))
        replace_file(log, "");
    std::optional<milliseconds> limit;
    if (command.has("timeout"))
        limit = command.seconds("timeout", milliseconds(0));
    const std::string id = submit_job({.vm = name,
                                       .memory = job_memory(vm.spec),
                                       .cpus = vm.spec.cpus.cpus(),
                                       .options = vm.spec.slurm->options,
                                       .lab = lab_of(name),
                                       .output = log,
                                       .directory = home_directory(),
                                       .command = job_command(command),
                                       .words = start_words(command)});
    // From here on: the job is in the queue, whatever becomes of this process.
    return wait_until_running(name, id, stop, limit);
}

ExitCode start(const CommandLine& command, const VmDescription& vm) {
    const StopSignals stop;
    const SlurmJob job = start_job(command, vm, stop);
    print(vm.spec.name.str() + " runs on " + job.node + ", job " + job.id + "\n");
    return ExitCode::done;
}

// In the foreground, whatever ends the console (its key, a closed terminal, a signal) presses the
// guest's power button. In a service, nobody can type, and the guest's output is shown until its
// end.
ExitCode run(const CommandLine& command, const VmDescription& vm) {
    const VmName& name = vm.spec.name;
    const StopSignals stop;
    const SlurmJob job = start_job(command, vm, stop);
    note(name.str() + " runs on " + job.node + ", job " + job.id);
    const bool terminal = wants_terminal("console");
    prepare_step();
    std::vector<std::string> words = {own_program(), "console", name.str()};
    if (is_null(STDIN_FILENO))
        words = {own_program(), "log", name.str(), "--follow"};
    Step console(srun_words(job, words, terminal));
    console.wait_beside(stop.fd());
    bool cancelled = false;
    if (const auto now = slurm_job(name); now && now->id == job.id && now->runs()) {
        const std::string signal = stop.take();
        note((signal.empty() ? "the console is left" : signal) +
             ": asking the guest to power down");
        cancel_job(job.id);
        cancelled = true;
    }
    wait_until_gone(name, job.id, kill_wait() + end_limit);
    const std::string end = job_end(job.id);
    const std::string log = log_text(name);
    const bool in_order = end.empty() || end == "COMPLETED" || (cancelled && end == "CANCELLED");
    if (in_order && log.find("without having shut down") == std::string::npos)
        return ExitCode::done;
    throw LauncherError(name.str() + " has ended: job " + job.id + ": " + end +
                        (log.empty() ? "" : "; its words:\n" + log));
}

// ---- verbs of a VM that has a job

// Runs this program with these words in the job; returns its exit code.
ExitCode run_there(const SlurmJob& job, std::vector<std::string> words, bool terminal = false) {
    prepare_step();
    words.insert(words.begin(), own_program());
    return static_cast<ExitCode>(run_step(srun_words(job, words, terminal)));
}

// Runs the same command line there, as it was typed.
ExitCode relay_and_wait(const SlurmJob& job, const CommandLine& command) {
    const ExitCode code = run_there(job, command.words);
    // The job ends with the VM, and may end the step before that can report its result.
    const auto now = slurm_job(job.vm);
    if (code != ExitCode::done && now && now->id == job.id && now->runs())
        return code;
    wait_until_gone(job.vm, job.id, end_limit);
    return ExitCode::done;
}

// Nothing, too, when Slurm does not answer about a VM that runs on this host.
std::optional<SlurmJob> job_unless_here(const VmName& name) {
    try {
        return slurm_job(name);
    } catch (const LauncherError&) {
        if (vm_state(name).qemu == 0)
            throw;
        return std::nullopt;
    }
}

ExitCode wait_in_queue(const VmName& name, const CommandLine& command) {
    constexpr seconds default_wait{120};
    const milliseconds limit = command.seconds("timeout", default_wait);
    const auto deadline = Clock::now() + limit;
    std::string told;
    for (;;) {
        const auto job = slurm_job(name);
        if (!job)
            throw LauncherError(name.str() + " has no job any more: it does not run");
        const auto left = std::chrono::ceil<seconds>(deadline - Clock::now());
        if (job->runs()) {
            return run_there(
                *job, {"wait", name.str(), "--for=" + command.option("for", "ssh"),
                       "--timeout=" + std::to_string(std::max(left.count(), std::int64_t{1}))});
        }
        if (left.count() <= 0)
            throw LauncherError(name.str() + ": not ready within " +
                                std::to_string(limit.count() / 1000) + " s: " + job->state_text());
        if (job->state_text() != told)
            note(name.str() + ": waiting: " + job->state_text() + " (job " + job->id + ")");
        told = job->state_text();
        std::this_thread::sleep_for(milliseconds(500));
    }
}

// `verb` is the command's, or a part of it.
ExitCode reach(const SlurmJob& job, const CommandLine& command, std::string_view verb) {
    const bool ends = verb == "stop" || verb == "kill";
    if (verb == "wait")
        return wait_in_queue(job.vm, command);
    if (job.runs()) {
        if (ends)
            return relay_and_wait(job, command);
        if (verb == "status" && !command.has("verify"))
            return print_status_there(job, command);
        if (verb == "ip")
            return print_addresses_there(job, command);
        if (verb == "screenshot")
            return take_picture_there(job, command);
        if (verb == "vnc")
            return print_screen_there(job, command);
        if (verb == "view")
            refuse_view_there(job);
        const ExitCode code = run_there(job, words_there(command), wants_terminal(verb));
        if (code != ExitCode::done)
            note_missing_there(job, command);
        return code;
    }
    if (verb == "status") {
        print_queued(job, command.has("json"));
        return ExitCode::done;
    }
    if (ends && job.waits()) {
        cancel_job(job.id);
        wait_until_gone(job.vm, job.id, end_limit);
        note(job.vm.str() + " was " + job.state_text() + "; job " + job.id +
             " is out of the queue");
        return ExitCode::done;
    }
    if (ends && job.is_ending()) {
        wait_until_gone(job.vm, job.id, kill_wait() + end_limit);
        return ExitCode::done;
    }
    throw LauncherError(job.vm.str() + " is " + job.state_text() + " (" + job_text(job) + "); " +
                        (job.waits() ? "tapgate wait " + job.vm.str() +
                                           " waits for it, and tapgate stop takes it out of the "
                                           "queue"
                                     : "try again when that is over"));
}

// `reset --to-base --force`: its first half ends the job, which would also end a step that is to do
// the second. Then the VM is off, and its files can be used here as well as anywhere.
ExitCode reset_with_force(const SlurmJob& job, const CommandLine& command) {
    // Before its power is cut: a VM that cannot be reset, or about which the user says no, should
    // go on.
    require_resettable(job.vm);
    ask_before_reset(command);
    CommandLine kill = command;
    kill.words = {"kill", job.vm.str()};
    if (reach(job, kill, "kill") != ExitCode::done)
        throw LauncherError(job.vm.str() + " was not ended, and is not reset");
    CommandLine reset = command;
    reset.options["yes"];
    return reset.verb->run(reset);
}

// As it was started, except for what `command` overrides.
ExitCode restart(const CommandLine& command, const std::optional<SlurmJob>& job) {
    CommandLine again = command;
    if (job)
        if (const auto words = job_words(job->id))
            again = with_words(command, *words);
    // Before it is stopped: a VM that cannot be started again should go on.
    const VmDescription vm = described_vm(again);
    if (!vm.spec.slurm)
        throw UsageError("restart starts " + vm.spec.name.str() +
                         " where it runs, in a job; to have it here: tapgate stop " +
                         vm.spec.name.str() + ", then tapgate start " + vm.spec.name.str() +
                         " --on=here");
    CommandLine stop = command;
    stop.words = {"stop", vm.spec.name.str()};
    if (command.has("timeout"))
        stop.words.push_back("--timeout=" + command.option("timeout"));
    if (command.has("force"))
        stop.words.emplace_back("--force");
    if (job)
        if (const ExitCode code = reach(*job, stop, "stop"); code != ExitCode::done)
            return code;
    again.options.erase("timeout");
    return start(again, vm);
}

}  // namespace

std::optional<ExitCode> done_on_slurm(const CommandLine& command) {
    const std::string_view verb = command.verb->name;
    if (verb == "start" || verb == "run" || verb == "restart") {
        if (command.has("ready-fd") || command.has("no-console"))
            return std::nullopt;
        // Perhaps only the start's command line said that it runs as a job.
        if (const auto name = VmName::parse(command.operands.at(0));
            verb == "restart" && name && is_on_slurm(*name))
            if (const auto job = slurm_job(*name))
                return restart(command, job);
        const VmDescription vm = described_vm(command);
        if (!vm.spec.slurm)
            return std::nullopt;
        return verb == "start" ? start(command, vm)
               : verb == "run" ? run(command, vm)
                               : restart(command, std::nullopt);
    }
    const auto* const found = std::find_if(std::begin(reaching), std::end(reaching),
                                           [&](const Reaching& one) { return one.verb == verb; });
    if (found == std::end(reaching) || command.operands.size() <= found->operand)
        return std::nullopt;
    std::string operand = command.operands[found->operand];
    if (verb == "ssh-proxy" && operand.starts_with(ssh_host_prefix))
        operand.erase(0, std::string_view(ssh_host_prefix).size());
    const auto parsed = VmName::parse(operand);
    if (!parsed || !is_on_slurm(*parsed))  // for instance an image, as in clone
        return std::nullopt;
    const VmName& name = *parsed;
    const auto job = job_unless_here(name);
    // It is off, so its files can be used here as well as anywhere; but its log is where it ran.
    if (!job && verb == "log")
        look_where_it_ran(name);
    if (!job && verb == "doctor" && !batch_job())
        refuse_doctor_here(name);
    if (!job)
        return std::nullopt;
    if (verb == "reset" && command.has("to-base") && command.has("force"))
        return reset_with_force(*job, command);
    return reach(*job, command, verb);
}

std::vector<SlurmJob> jobs_to_list() {
    std::vector<VmName> names = vm_names();
    // A VM without a file (an image) has a directory for the log of its job.
    for (const std::filesystem::path& entry : entries_of(data_directory()))
        if (auto name = VmName::parse(entry.filename().string()))
            names.push_back(std::move(*name));
    if (std::none_of(names.begin(), names.end(), is_on_slurm))
        return {};
    return slurm_jobs();
}

}  // namespace tapgate

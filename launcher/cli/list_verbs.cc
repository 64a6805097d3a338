// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/list_verbs.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <exception>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "common/words.h"
#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/output.h"
#include "launcher/base/progress_bar.h"
#include "launcher/base/terminal_table.h"
#include "launcher/base/text.h"
#include "launcher/cli/slurm_verbs.h"
#include "launcher/cluster/slurm.h"
#include "launcher/image/clone.h"
#include "launcher/qemu/control.h"
#include "launcher/qemu/standstill.h"
#include "launcher/vm/autostart_link.h"
#include "launcher/vm/file.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// Ordered, so that the same VM always gives the same text, and what matters comes first.
using Json = nlohmann::ordered_json;

using std::chrono::milliseconds;

// How long a VM may take to report its state: one that does not hang takes a millisecond.
constexpr milliseconds answer_limit{1000};
// How long several VMs that hang may take together.
constexpr milliseconds answers_limit{3000};
constexpr milliseconds shortest_answer{50};

// What is known about a VM, in the form of --json.
Json summary_of(const VmName& name, milliseconds limit = answer_limit) {
    const VmState state = vm_state(name);
    Json json = {{"name", name.str()}, {"state", name_of(state.life)}};
    if (state.life == Life::running) {
        try {
            json["guest"] = guest_status(name, limit);
            if (const std::string why = standstill(name, limit); !why.empty())
                json["problem"] = why;
            if (const std::string vnc = vnc_address(name, limit); !vnc.empty())
                json["vnc"] = vnc;
        } catch (const LauncherError&) {
            json["guest"] = "unknown";
            json["problem"] =
                "QEMU does not answer: another client has its QMP, or it hangs (tapgate kill " +
                name.str() + " is its end)";
        }
    }
    if (std::string why = why_lost(name); !why.empty())
        json["problem"] = std::move(why);
    json["file"] = has_vm_file(name) ? Json(vm_file_path(name)) : Json(nullptr);
    if (starts_by_itself(name))
        json["autostart"] = true;
    if (state.qemu != 0)
        json["qemu_pid"] = state.qemu;
    if (state.supervisor != 0)
        json["supervisor_pid"] = state.supervisor;
    const auto record = read_run_record(name);
    if (!record)
        return json;
    json["started"] = record->started;
    json["accelerator"] = record->accelerator;
    if (!record->unit.empty())
        json["unit"] = record->unit;
    json["nets"] = Json::array();
    for (const RunNet& net : record->nets)
        json["nets"].push_back({{"bridge", net.bridge}, {"mac", net.mac}, {"tap", net.tap}});
    return json;
}

std::string text_in(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null())
        return "-";
    return found->is_string() ? found->get<std::string>() : found->dump();
}

// The state in one word: that of the guest, if the VM runs.
std::string state_in(const Json& json) {
    const std::string guest = text_in(json, "guest");
    return guest == "-" || guest == "unknown" ? text_in(json, "state") : guest;
}

std::string nets_in(const Json& json) {
    std::string text;
    for (const Json& net : json.value("nets", Json::array())) {
        const std::string bridge = net.at("bridge");
        text += (text.empty() ? "" : " ") + (bridge.empty() ? "user" : shown(bridge)) + "/" +
                shown(net.at("mac").get<std::string>());
    }
    return text.empty() ? "-" : text;
}

std::string up_in(const Json& json) {
    return json.at("state") == "running" && json.contains("started")
               ? duration_text(std::time(nullptr) - json.at("started").get<std::int64_t>())
               : "-";
}

// The same for a VM that is a job: as much as Slurm knows, which is asked once for all of them.
Json summary_of(const SlurmJob& job) {
    Json json = {{"name", job.vm.str()}, {"state", job.state_text()}};
    json["file"] = has_vm_file(job.vm) ? Json(vm_file_path(job.vm)) : Json(nullptr);
    if (!job.node.empty())
        json["node"] = job.node;
    if (job.runs())
        json["up"] = job.up;
    json["limit"] = job.limit;
    json["job"] = job.id;
    return json;
}

// With `jobs`, the table has the columns that only jobs need.
std::string table(const Json& vms, bool jobs) {
    std::vector<std::vector<std::string>> rows = {
        {"NAME", "STATE", "UP", "PID", "ACCEL", "NETWORK"}};
    if (jobs)
        rows[0].insert(rows[0].end(), {"NODE", "LIMIT", "JOB"});
    // Only if a VM has it: most do not.
    const bool autostart = std::any_of(vms.begin(), vms.end(),
                                       [](const Json& vm) { return vm.contains("autostart"); });
    if (autostart)
        rows[0].emplace_back("AUTOSTART");
    for (const Json& vm : vms) {
        auto& row = rows.emplace_back();
        row = {text_in(vm, "name"),
               state_in(vm),
               vm.contains("up") ? text_in(vm, "up") : up_in(vm),
               text_in(vm, "qemu_pid"),
               text_in(vm, "accelerator"),
               nets_in(vm)};
        if (jobs)
            row.insert(row.end(), {text_in(vm, "node"), text_in(vm, "limit"), text_in(vm, "job")});
        if (autostart)
            row.emplace_back(vm.contains("autostart") ? "on" : "-");
    }
    return fitted_table(rows, output_width());
}

// Prints whether the images that a clone depends on have changed; returns 1 if one has.
ExitCode print_verdicts(const VmName& name, bool as_json) {
    ProgressBar bar("reading the images that " + name.str() + " stands on");
    const auto verdicts = verify_bases(name, [&](double percent) { bar.show(percent); });
    if (verdicts.empty())
        throw LauncherError(name.str() + " is no clone: there is nothing to compare");
    Json json = Json::array();
    std::string text;
    bool all_same = true;
    for (const BaseVerdict& verdict : verdicts) {
        json.push_back({{"path", verdict.path}, {"same", verdict.same}});
        text += (verdict.same ? "same     " : "CHANGED  ") + shown(verdict.path) + "\n";
        all_same = all_same && verdict.same;
    }
    if (as_json)
        print_json(json);
    else
        print(text);
    return all_same ? ExitCode::done : ExitCode::failed;
}

// What Slurm has said about the VMs that are jobs; if it does not answer, nothing, and why.
struct JobsHeard {
    std::vector<SlurmJob> jobs;
    std::exception_ptr silence;
};

JobsHeard ask_for_jobs() {
    try {
        return {jobs_to_list(), nullptr};
    } catch (const LauncherError&) {
        return {{}, std::current_exception()};
    }
}

// The VMs that run, on this host or as a job, and with --all those that are off, ordered by name.
Json vms_to_list(const CommandLine& command, const JobsHeard& heard) {
    const bool all = command.has("all");
    std::set<VmName> names;
    for (VmName& name : vms_with_state())
        names.insert(std::move(name));
    if (all)
        for (VmName& name : vm_names())
            names.insert(std::move(name));
    const auto has_job = [&](const VmName& name) {
        return std::any_of(heard.jobs.begin(), heard.jobs.end(),
                           [&](const SlurmJob& job) { return job.vm.str() == name.str(); });
    };
    const auto deadline = std::chrono::steady_clock::now() + answers_limit;
    Json vms = Json::array();
    for (const VmName& name : names) {
        const bool runs_here = vm_state(name).qemu != 0;
        // What is in this host's directory is from an earlier run.
        if (has_job(name) && !runs_here)
            continue;
        // Not "off", since nobody answered.
        if (heard.silence && is_on_slurm(name) && !runs_here) {
            if (all)
                vms.push_back(
                    {{"name", name.str()}, {"state", "unknown"}, {"file", vm_file_path(name)}});
            continue;
        }
        Json vm = summary_of(name, std::clamp(milliseconds(milliseconds_until(deadline)),
                                              shortest_answer, answer_limit));
        // If there is neither a file nor a record, the directory only keeps the VM's logs.
        if (vm.at("state") != "off" || (all && has_vm_file(name)))
            vms.push_back(std::move(vm));
    }
    for (const SlurmJob& job : heard.jobs)
        if (vm_state(job.vm).qemu == 0)
            vms.push_back(summary_of(job));
    std::sort(vms.begin(), vms.end(),
              [](const Json& a, const Json& b) { return a.at("name") < b.at("name"); });
    return vms;
}

void list_once(const CommandLine& command) {
    // When Slurm does not answer, what runs here is listed all the same.
    const JobsHeard heard = ask_for_jobs();
    const Json vms = vms_to_list(command, heard);
    if (command.has("json"))
        print_json(vms);
    else if (!vms.empty())
        print(table(vms, !heard.jobs.empty()));
    for (const Json& vm : vms) {
        if (!command.has("json") && text_in(vm, "guest") == "io-error")
            note(text_in(vm, "name") + ": " + text_in(vm, "problem"));
        if (!command.has("json") && vm.at("state") == name_of(Life::lost))
            note(text_in(vm, "problem"));
    }
    const bool to_file = command.has("watch") && isatty(STDOUT_FILENO) == 0;
    if (vms.empty() && !heard.silence && !command.has("json") && !to_file)
        note(command.has("all") ? "there is no VM; make one with: tapgate new NAME --from=IMAGE"
                                : "no VM runs; those that are off: tapgate list --all");
    if (heard.silence)
        std::rethrow_exception(heard.silence);
}

}  // namespace

ExitCode list_vms(const CommandLine& command) {
    constexpr std::chrono::seconds interval{2};
    while (command.has("watch")) {
        if (isatty(STDOUT_FILENO) != 0)
            print("\033[H\033[J");
        try {
            list_once(command);
        } catch (const SlurmSilence& silence) {
            // It may answer the next time.
            note(silence.what());
        }
        std::this_thread::sleep_for(interval);
    }
    list_once(command);
    return ExitCode::done;
}

ExitCode print_status(const CommandLine& command) {
    const VmName name = command.vm_name();
    const Json vm = summary_of(name);
    if (vm.at("state") == "off" && vm.at("file").is_null())
        throw no_such_vm(name);
    if (command.has("verify"))
        return print_verdicts(name, command.has("json"));
    if (command.has("json")) {
        print_json(vm);
        return ExitCode::done;
    }
    std::string text;
    const auto line = [&](std::string label, const std::string& value) {
        label.resize(12, ' ');
        if (value != "-")
            text += label + printable(value, 1000) + "\n";
    };
    line("name", text_in(vm, "name"));
    line("state", state_in(vm));
    line("problem", text_in(vm, "problem"));
    line("up", up_in(vm));
    line("process", text_in(vm, "qemu_pid"));
    line("supervisor", text_in(vm, "supervisor_pid"));
    line("unit", text_in(vm, "unit"));
    line("accelerator", text_in(vm, "accelerator"));
    line("vnc", text_in(vm, "vnc"));
    for (const Json& net : vm.value("nets", Json::array())) {
        const std::string bridge = net.at("bridge");
        const std::string tap = net.at("tap");
        line("network", (bridge.empty() ? "user" : bridge) + " " +
                            net.at("mac").get<std::string>() + (tap.empty() ? "" : " " + tap));
    }
    line("autostart", vm.contains("autostart") ? "on" : "-");
    line("file", text_in(vm, "file"));
    line("directory", vm_directory(name));
    print(text);
    return ExitCode::done;
}

}  // namespace tapgate

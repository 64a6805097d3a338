// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/slurm_look.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "launcher/base/directories.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/program.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/cluster/slurm.h"
#include "launcher/cluster/step.h"
#include "launcher/network/guest_addresses.h"
#include "launcher/vm/file.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds answer_limit{20};

// The answer of this program to `words` in the job.
ProgramResult ask_there(const SlurmJob& job, std::vector<std::string> words) {
    prepare_step();
    words.insert(words.begin(), own_program());
    return run_program(srun_words(job, words), answer_limit);
}

LauncherError refused_there(const SlurmJob& job, const ProgramResult& there) {
    StepErrors own;
    std::string words = own.pass(there.errors);
    words += own.rest();
    LauncherError error(job.vm.str() + " (" + job_text(job) +
                        "): " + terminal_text(words.empty() ? "no answer" : words));
    return error;
}

// Adds addresses on the bridge that this host has heard: the nodes may have no address there, and
// then only hear of link-local ones.
void add_heard_here(const VmName& name, Json& adapters) {
    const HostNetwork network = host_network();
    for (Json& adapter : adapters) {
        Json& known = adapter.at("addresses");
        if (std::any_of(known.begin(), known.end(),
                        [](const Json& one) { return one.value("source", "") != "neighbours"; }))
            continue;
        const RunNet net{adapter.value("bridge", ""), adapter.value("mac", ""), ""};
        if (net.bridge.empty())
            continue;
        Json heard = Json::array();
        for (const GuestAdapter& here : guest_adapters({name, {net}, network, {}, {}}))
            for (const GuestAddress& one : here.addresses)
                heard.push_back({{"address", one.address}, {"source", name_of(one.source)}});
        for (Json& one : known)
            if (std::none_of(heard.begin(), heard.end(), [&](const Json& other) {
                    return other.at("address") == one.at("address");
                }))
                heard.push_back(std::move(one));
        known = std::move(heard);
        if (!known.empty())
            adapter["unknown"] = "";
    }
}

std::string addresses_text(const Json& adapters) {
    std::string text;
    for (const Json& adapter : adapters)
        for (const Json& one : adapter.at("addresses")) {
            text += shown(one.at("address").get<std::string>());
            if (one.contains("port"))
                text += " port " + one.at("port").dump() + " (" + shown(one.value("protocol", "")) +
                        ", the guest's " + one.at("guest_port").dump() + ")";
            text += "\n";
        }
    return text;
}

// Undoes what steps set in the environment, so that this process does not go by it afterwards.
class OwnPlace {
  public:
    // NOLINTBEGIN(concurrency-mt-unsafe): one thread
    OwnPlace() {
        if (const char* const on = std::getenv(variable))
            on_ = on;
    }
    ~OwnPlace() {
        if (on_)
            setenv(variable, on_->c_str(), 1);
        else
            unsetenv(variable);
    }
    // NOLINTEND(concurrency-mt-unsafe)
    OwnPlace(const OwnPlace&) = delete;
    OwnPlace& operator=(const OwnPlace&) = delete;

  private:
    static constexpr const char* variable = "TAPGATE_ON";
    std::optional<std::string> on_;
};

// `address` is as printed by `tapgate vnc` on the node.
std::string way_to_screen(const SlurmJob& job, std::string address) {
    address.resize(std::min(address.find_last_not_of('\n') + 1, address.size()));
    if (const size_t scheme = address.find("://"); scheme != std::string::npos)
        address.erase(0, scheme + 3);
    return job.vm.str() + "'s screen is a socket of " + shown(job.node) +
           "'s; from here: " + shell_text({"ssh", "-N", "-L", "5999:" + address, job.node}) +
           " (who may log in there while his job runs), then vncviewer 127.0.0.1::5999";
}

}  // namespace

std::string job_text(const SlurmJob& job) {
    return "job " + job.id + (job.node.empty() ? "" : " on " + job.node);
}

void print_queued(const SlurmJob& job, bool as_json) {
    if (as_json) {
        print_json(Json{{"name", job.vm.str()},
                        {"state", job.state_text()},
                        {"job", job.id},
                        {"limit", job.limit},
                        {"file", vm_file_path(job.vm)}});
        return;
    }
    print("name        " + job.vm.str() + "\nstate       " + job.state_text() + "\njob         " +
          job.id + "\nlimit       " + job.limit + "\n");
}

// The status from there, and what Slurm knows in addition.
ExitCode print_status_there(const SlurmJob& job, const CommandLine& command) {
    const ProgramResult there = ask_there(job, command.words);
    if (there.exit_code != 0)
        throw refused_there(job, there);
    if (!command.has("json")) {
        print(there.output + "node        " + job.node + "\njob         " + job.id +
              "\nlimit       " + job.up + " of " + job.limit + "\n");
        return ExitCode::done;
    }
    auto json = Json::parse(there.output, nullptr, false);
    if (!json.is_object())
        throw LauncherError(job.vm.str() + " (" + job_text(job) +
                            "): not the answer expected of tapgate status");
    json["node"] = job.node;
    json["job"] = job.id;
    json["limit"] = job.limit;
    print_json(json);
    return ExitCode::done;
}

ExitCode print_addresses_there(const SlurmJob& job, const CommandLine& command) {
    const ProgramResult there = ask_there(job, {"ip", "--json", job.vm.str()});
    try {
        Json adapters = Json::parse(there.output);
        add_heard_here(job.vm, adapters);
        const std::string text = addresses_text(adapters);
        if (command.has("json"))
            print_json(adapters);
        else
            print(text);
        if (!text.empty())
            return ExitCode::done;
    } catch (const Json::exception&) {
        // Then its words say why.
    }
    throw refused_there(job, there);
}

ExitCode take_picture_there(const SlurmJob& job, const CommandLine& command) {
    // The file may be on a disk of this host only, but both have the home directory.
    const std::string picture = slurm_log_path(job.vm) + "." + std::to_string(getpid()) + ".png";
    const std::string& file = command.operands.at(1);
    prepare_step();
    const int code =
        run_step(srun_words(job, {own_program(), "screenshot", job.vm.str(), picture}));
    const auto png = code == 0 ? read_file(picture, size_t{256} << 20) : std::nullopt;
    unlink(picture.c_str());
    if (png)
        replace_file(absolute_path(file), *png);
    return static_cast<ExitCode>(code);
}

ExitCode print_screen_there(const SlurmJob& job, const CommandLine& command) {
    const ProgramResult there = ask_there(job, command.words);
    if (there.exit_code != 0)
        throw refused_there(job, there);
    note(way_to_screen(job, there.output));
    print(there.output);
    return ExitCode::done;
}

void refuse_view_there(const SlurmJob& job) {
    const auto is_set = [](const char* variable) {
        const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
        return value != nullptr && *value != '\0';
    };
    if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY"))
        return;
    const ProgramResult there = ask_there(job, {"vnc", job.vm.str()});
    if (there.exit_code == 0)
        throw LauncherError(way_to_screen(job, there.output) + "; or: tapgate screenshot " +
                            job.vm.str() + " FILE.png, tapgate console " + job.vm.str());
}

std::vector<VmUsage> usage_there(const std::vector<SlurmJob>& jobs,
                                 std::vector<std::string>& unknown) {
    std::vector<VmUsage> all;
    std::set<std::string> known;
    std::map<std::string, std::string> silent;
    const OwnPlace own;
    for (const SlurmJob& job : jobs) {
        if (!job.runs() || vm_state(job.vm).qemu != 0 || known.contains(job.node))
            continue;
        try {
            const ProgramResult there = ask_there(job, {"usage", "--mine", "--json"});
            if (there.exit_code != 0)
                throw refused_there(job, there);
            const Json json = Json::parse(there.output);
            std::vector<VmUsage> vms;
            for (const Json& one : json.at("vms")) {
                VmUsage vm{.user = one.at("uid"),
                           .name = one.at("name"),
                           .process = one.at("qemu_pid"),
                           .memory = one.at("memory_mib"),
                           .resident = one.at("resident_mib"),
                           .cpu_milliseconds = one.at("cpu_ms"),
                           .seconds = one.at("seconds"),
                           .disk = {},
                           .node = job.node};
                if (one.contains("disk_bytes"))
                    vm.disk = one.at("disk_bytes").get<std::uint64_t>();
                vms.push_back(std::move(vm));
            }
            known.insert(job.node);
            all.insert(all.end(), vms.begin(), vms.end());
        } catch (const Json::exception&) {
            silent[job.node] = job_text(job) + ": not the answer expected of tapgate usage";
        } catch (const LauncherError& error) {
            // A job that is ending takes no steps; another on the same node may.
            silent[job.node] = error.what();
        }
    }
    for (auto& [node, why] : silent)
        if (!known.contains(node))
            unknown.push_back(std::move(why));
    return all;
}

void note_change_of_job(const VmName& name) {
    try {
        const auto job = slurm_job(name);
        if (!job || job->is_ending())
            return;
        note(name.str() + " is " + job->state_text() + " (" + job_text(*job) + "); " +
             (job->waits()
                  ? "its job keeps the memory and CPUs that it was handed in with: tapgate "
                    "stop " +
                        name.str() + ", then tapgate start " + name.str() + ", hands it in anew"
                  : "the change counts from its next start on"));
    } catch (const LauncherError& error) {
        note("the change is made; whether " + name.str() + " runs is not known: " + error.what());
    }
}

void refuse_doctor_here(const VmName& name) {
    std::vector<std::string> words = {"srun"};
    if (has_vm_file(name)) {
        const VmSpec spec = load_vm_file(name).spec;
        words.push_back("--mem=" + std::to_string(job_memory(spec)) + "M");
        if (spec.slurm)
            for (const std::string& option : spec.slurm->options)
                words.push_back("--" + option);
    }
    words.insert(words.end(), {"tapgate", "doctor", name.str()});
    throw LauncherError(name.str() +
                        " is off, and starts where Slurm finds room for it: what keeps it from "
                        "working is there and not here; on a node: " +
                        shell_text(words));
}

void look_where_it_ran(const VmName& name) {
    if (const std::string base = last_runtime_base(name); !base.empty())
        setenv("XDG_RUNTIME_DIR", base.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
}

}  // namespace tapgate

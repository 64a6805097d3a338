// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/slurm_look.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "launcher/base/directories.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/program.h"
#include "launcher/base/text.h"
#include "launcher/cluster/slurm.h"
#include "launcher/cluster/step.h"
#include "launcher/network/guest_addresses.h"
#include "launcher/vm/file.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds answer_limit{20};

// What this program says to `words` in the job.
ProgramResult ask_there(const SlurmJob& job, std::vector<std::string> words) {
    prepare_step();
    words.insert(words.begin(), own_program());
    return run_program(srun_words(job, words, false), answer_limit);
}

LauncherError refused_there(const SlurmJob& job, const ProgramResult& there) {
    LauncherError error(job.vm.str() + " (" + job_text(job) +
                        "): " + terminal_text(there.errors.empty() ? "no answer" : there.errors));
    return error;
}

// Who has an address on the bridge as this host heard it: the nodes may have none on it, and then
// hear of link-local ones only.
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

// As it is there, and what Slurm knows besides.
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
        // It says why in words.
    }
    throw refused_there(job, there);
}

ExitCode take_picture_there(const SlurmJob& job, const CommandLine& command) {
    // The file that is asked for may be on this host only: a home is on both.
    const std::string picture = slurm_log_path(job.vm) + "." + std::to_string(getpid()) + ".png";
    const std::string& file = command.operands.at(1);
    prepare_step();
    const int code =
        run_step(srun_words(job, {own_program(), "screenshot", job.vm.str(), picture}, false));
    const auto png = code == 0 ? read_file(picture, size_t{256} << 20) : std::nullopt;
    unlink(picture.c_str());
    if (png)
        replace_file(file.starts_with('/') ? file : current_directory() + "/" + file, *png);
    return static_cast<ExitCode>(code);
}

void look_where_it_ran(const VmName& name) {
    if (const std::string base = last_runtime_base(name); !base.empty())
        setenv("XDG_RUNTIME_DIR", base.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/lab/plan.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/cluster/slurm.h"
#include "launcher/vm/file.h"

namespace tapgate {

namespace {

// What QEMU needs for itself with a small guest without KVM, in MiB.
constexpr std::uint64_t memory_of_qemu = 48;

// Whether the lab has made the VM. One whose file cannot be read does not count.
bool is_made_by(const Lab& lab, const VmName& name) {
    try {
        const auto text = read_file(vm_file_path(name));
        return text && has_lab_mark(*text, name, lab.name);
    } catch (const LauncherError&) {
        return false;
    }
}

// Whether the VM will be Slurm's when it is made as the lab's file and its template say.
bool is_planned_on_slurm(const Lab& lab, const LabVm& vm) {
    for (const Setting& setting : vm.settings)
        if (setting.key == "on")
            return setting.value.starts_with("slurm");
    const auto& base = lab.sections.at(vm.section).base;
    return base && is_on_slurm(*base);
}

// Asks Slurm about the members that are its jobs.
void ask_slurm(std::vector<LabMember>& members) {
    const std::vector<SlurmJob> jobs = slurm_jobs();
    for (LabMember& member : members) {
        const auto found = std::find_if(jobs.begin(), jobs.end(), [&](const SlurmJob& job) {
            return member.on_slurm && job.vm.str() == member.name.str();
        });
        if (found == jobs.end() || member.life == Life::running)
            continue;
        member.job = *found;
        member.life = found->runs()        ? Life::running
                      : found->is_ending() ? Life::stopping
                                           : Life::starting;
    }
}

// What VMs need of a bridge that they cannot do without.
struct BridgeNeed {
    unsigned taps = 0;
    unsigned queues = 1;  // of one tap
};

std::map<std::string, BridgeNeed> bridge_needs(const std::vector<VmSpec>& vms) {
    std::map<std::string, BridgeNeed> needs;
    for (const VmSpec& vm : vms) {
        for (const Net& net : vm.nets) {
            const auto* const bridged = std::get_if<BridgeNet>(&net.link);
            if (bridged == nullptr || bridged->fallback)
                continue;
            BridgeNeed& need = needs[bridged->bridge.str()];
            need.taps++;
            need.queues = std::max(need.queues, bridged->queues);
        }
    }
    return needs;
}

// The number after `before` in a line of tapgate-policy's output; nothing when there is none.
std::optional<unsigned> limit_in(std::string_view explained, std::string_view before,
                                 std::string_view behind) {
    while (!explained.empty()) {
        std::string_view line = explained.substr(0, explained.find('\n'));
        explained.remove_prefix(std::min(line.size() + 1, explained.size()));
        line = trimmed(line);
        unsigned number = 0;
        if (!line.starts_with(before))
            continue;
        line.remove_prefix(before.size());
        const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), number);
        line.remove_prefix(static_cast<size_t>(stop - line.data()));
        if (error == std::errc() && line.starts_with(behind))
            return number;
    }
    return std::nullopt;
}

std::optional<unsigned> most_queues(std::string_view explained) {
    return limit_in(explained, "at most ", " queue");
}

// The user's taps on the bridge. A tap that nobody has open goes at the helper's next run.
unsigned taps_of(const HostNetwork& network, const HostLink& bridge, uid_t user) {
    unsigned count = 0;
    for (const HostLink* port : network.ports(bridge.index)) {
        const auto tag = port_tag(*port);
        count += tag && tag->owner == user && port->carrier ? 1 : 0;
    }
    return count;
}

// "1 tap", "2 taps".
std::string counted(unsigned number, const std::string& what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

void check_bridge(const std::string& name, const BridgeNeed& need, const LabFacts& facts) {
    const HostLink* const bridge = facts.network.link(name);
    if (bridge == nullptr || !bridge->bridge)
        throw LauncherError(
            "net: " + (bridge == nullptr ? "there is no bridge " + name : name + " is no bridge") +
            " on this host; see tapgate bridges, or tapgate doctor --bridge=" + name);
    const auto found = facts.verdicts.find(name);
    if (found == facts.verdicts.end())
        return;
    const PolicyVerdict& verdict = found->second;
    const std::string words = terminal_text(verdict.text);
    if (!verdict.allowed)
        throw LauncherError(
            "net: no tap on " + name + ": " + words + "; see tapgate doctor --bridge=" + name,
            verdict.answered ? ExitCode::refused : ExitCode::failed);
    const std::string rule = " (" + words.substr(0, words.find('\n')) + ")";
    const auto most = most_taps(verdict.text);
    const unsigned taken = taps_of(facts.network, *bridge, facts.user);
    if (most && taken + need.taps > *most)
        throw LauncherError("net: " + counted(need.taps, "tap") + " needed on " + name +
                                ", and you may have " + std::to_string(*most) + ", of which " +
                                std::to_string(taken) + (taken == 1 ? " is" : " are") + " in use" +
                                rule,
                            ExitCode::refused);
    const auto queues = most_queues(verdict.text);
    if (queues && need.queues > *queues)
        throw LauncherError("net: queues=" + std::to_string(need.queues) + " on " + name +
                                ", and a tap of yours may have " + counted(*queues, "queue") + rule,
                            ExitCode::refused);
}

// The ports of this host that QEMU forwards to the VM; none for one that Slurm starts elsewhere.
std::vector<HostForward> forwards_of(const VmSpec& vm) {
    std::vector<HostForward> forwards;
    for (const Net& net : vm.nets)
        if (const auto* const user = std::get_if<UserNet>(&net.link); user != nullptr && !vm.slurm)
            forwards.insert(forwards.end(), user->forwards.begin(), user->forwards.end());
    return forwards;
}

// Only one of them may write to a disk.
void check_disks(const std::vector<VmSpec>& vms) {
    std::map<std::string, std::string> writers;  // by disk
    for (const VmSpec& vm : vms) {
        for (const Disk& disk : vm.disks) {
            if (disk.read_only || vm.snapshot)
                continue;
            const auto [other, is_new] = writers.emplace(disk.path.str(), vm.name.str());
            if (!is_new)
                throw LauncherError("disk: " + shown(disk.path.str()) + " would be of " +
                                    other->second + " and of " + vm.name.str() +
                                    "; give each its own with {n} in its name, a `template', or "
                                    "snapshot = on");
        }
    }
}

// Each adapter on a bridge has a MAC address of its own.
void check_addresses(const std::vector<VmSpec>& vms) {
    std::map<std::pair<std::string, std::string>, std::string> owners;  // by bridge and MAC
    for (const VmSpec& vm : vms) {
        for (const Net& net : vm.nets) {
            const auto* const bridged = std::get_if<BridgeNet>(&net.link);
            if (bridged == nullptr || !net.mac)
                continue;
            const auto [other, is_new] =
                owners.emplace(std::pair(bridged->bridge.str(), net.mac->str()), vm.name.str());
            if (!is_new)
                throw LauncherError("net: " + other->second + " and " + vm.name.str() +
                                    " would have the same MAC address " + net.mac->str() +
                                    "; without mac= each has its own");
        }
    }
}

// A port of this host leads to one of them.
void check_forwards(const std::vector<VmSpec>& vms) {
    std::vector<std::pair<HostForward, std::string>> taken;
    for (const VmSpec& vm : vms) {
        for (const HostForward& forward : forwards_of(vm)) {
            for (const auto& [other, owner] : taken)
                if (forward.excludes(other))
                    throw LauncherError("net: hostfwd=" + forward.str() + " of " + vm.name.str() +
                                        " takes the port that " + owner +
                                        " has by hostfwd=" + other.str() +
                                        "; give each its own with {n} in it, or 0, any free one");
            taken.emplace_back(forward, vm.name.str());
        }
    }
}

}  // namespace

std::string LabMember::state_text() const {
    return job ? job->state_text() : made ? std::string(name_of(life)) : "not made";
}

std::vector<LabMember> lab_members(const Lab& lab) {
    std::vector<LabMember> members;
    std::set<std::string> planned;
    for (LabVm& vm : lab_vms(lab)) {
        const VmName name = vm.name;
        planned.insert(name.str());
        const bool made = is_made_by(lab, name);
        if (!made && has_vm_file(name))
            throw LauncherError(
                "the VM " + name.str() + " is there, and this lab has not made it (" +
                shown(vm_file_path(name)) + "); give the lab another name, or the VM");
        members.push_back({.name = name,
                           .planned = std::move(vm),
                           .made = made,
                           .life = vm_state(name).life,
                           .on_slurm = false});
        LabMember& member = members.back();
        member.on_slurm = made ? is_on_slurm(name) : is_planned_on_slurm(lab, *member.planned);
    }
    for (const VmName& name : vm_names())
        if (!planned.contains(name.str()) && is_made_by(lab, name))
            members.push_back({.name = name,
                               .planned = std::nullopt,
                               .made = true,
                               .life = vm_state(name).life,
                               .on_slurm = is_on_slurm(name)});
    if (std::any_of(members.begin(), members.end(),
                    [](const LabMember& one) { return one.made && one.on_slurm; }))
        ask_slurm(members);
    return members;
}

std::vector<std::string> lab_bridges(const std::vector<VmSpec>& vms) {
    std::vector<std::string> names;
    for (const auto& [name, need] : bridge_needs(vms))
        names.push_back(name);
    return names;
}

void check_lab_conflicts(const std::vector<VmSpec>& vms) {
    check_disks(vms);
    check_addresses(vms);
    check_forwards(vms);
}

void check_lab_room(const std::vector<VmSpec>& starting, const LabFacts& facts) {
    for (const auto& [name, need] : bridge_needs(starting))
        check_bridge(name, need, facts);
    std::uint64_t memory = 0;
    for (const VmSpec& vm : starting)
        memory += vm.memory.mebibytes() + memory_of_qemu;
    if (memory > facts.memory_available)
        throw LauncherError(
            "memory: " + counted(static_cast<unsigned>(starting.size()), "VM") +
            " to start, which take " + std::to_string(memory) + " MiB with " +
            std::to_string(memory_of_qemu) + " MiB of QEMU's own for each, and " +
            (facts.memory_limit == 0
                 ? "this host has " + std::to_string(facts.memory_available) + " MiB to spare"
                 : std::to_string(facts.memory_available) +
                       " MiB are to spare of the limit of this job or session, " +
                       std::to_string(facts.memory_limit) + " MiB") +
            "; less with memory= or count=");
}

std::optional<unsigned> most_taps(std::string_view explained) {
    return limit_in(explained, "at most ", " tap");
}

}  // namespace tapgate

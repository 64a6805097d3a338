// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

// Features that libvirt knows but QEMU does not.
bool is_unknown_to_qemu(std::string_view feature) {
    constexpr std::array<std::string_view, 6> unknown = {"cmt",   "mbm_local", "mbm_total",
                                                         "ospke", "osxsave",   "pconfig"};
    return is_one_of(feature, unknown);
}

// "...,+vmx,-hle"; `forbid' and `disable' become a minus.
std::string features_of(XmlLeft& xml, const pugi::xml_node& cpu, std::string& why) {
    std::string text;
    for (const pugi::xml_node& feature : cpu.children("feature")) {
        const std::string policy = xml.attribute(feature, "policy");
        const std::string name = xml.attribute(feature, "name");
        if (policy == "optional")
            add_reason(why, name + " was optional, and is left out");
        else if (is_unknown_to_qemu(name))
            add_reason(why, "QEMU has no " + name);
        else if (policy == "force" || policy == "require" || policy.empty())
            text += ",+" + name;
        else
            text += ",-" + name;
    }
    return text;
}

void read_model(DomainParts& domain, const pugi::xml_node& cpu, std::string& why) {
    XmlLeft& xml = domain.xml;
    const std::string mode = xml.attribute(cpu, "mode");
    const std::string match = xml.attribute(cpu, "match");
    const pugi::xml_node model_node = cpu.child("model");
    const std::string model = xml.text(model_node);
    const std::string fallback = xml.attribute(model_node, "fallback");
    // `check' says how strictly the host's CPU is compared; QEMU leaves out what the host lacks.
    if (const std::string check = xml.attribute(cpu, "check"); check == "full" || match == "strict")
        add_reason(why, "it also starts on a host whose CPU lacks some of it");
    if (fallback == "forbid")
        add_reason(why, "no other model is used in its place");
    if (const std::string vendor = xml.attribute(model_node, "vendor_id"); !vendor.empty())
        add_reason(why, "left out: vendor_id=" + vendor);
    if (match == "minimum")
        add_reason(why, "the guest gets no more than this, even if the host has more");
    if (xml.attribute(cpu, "migratable") == "off")
        add_reason(why, "left out: migratable=off (cpu=host,migratable=off has it)");
    const std::string features = features_of(xml, cpu, why);
    if (mode == "custom" || (mode.empty() && !model.empty())) {
        const std::string value = model + features;
        const bool fits = CpuModel::parse(value).has_value();
        if (!fits)
            add_reason(why, "not a CPU model that QEMU takes");
        domain.set(tag_of(cpu) + model, "cpu", fits ? value : "auto", domain.with_left(cpu, why));
        return;
    }
    if (mode.empty() && !cpu.child("feature")) {
        if (const std::string left = domain.with_left(cpu, why); !left.empty())
            domain.result.dropped(tag_of(cpu), left);
        return;
    }
    add_reason(why, "the host's CPU with KVM");
    if (!features.empty())
        add_reason(why, "left out: " + features.substr(1) + " (cpu=host" + features +
                            " has that, and needs KVM)");
    domain.set(tag_of(cpu), "cpu", "auto", domain.with_left(cpu, why));
}

// More CPUs, or other levels, than cpus = has. QEMU makes one of this -smp and of tapgate's own, so
// that it says all levels.
void keep_cpus(DomainParts& domain, const std::string& was, const std::string& smp,
               std::string why) {
    const std::uint64_t most = CpuTopology::most_cpus;
    if (domain.cpus > most)
        add_reason(why, "cpus = goes up to " + std::to_string(most));
    domain.result.set("cpus", std::to_string(std::min(domain.cpus, most)));
    domain.result.keep(was, {"-smp", smp}, why);
}

}  // namespace

std::uint64_t domain_cpus(const pugi::xml_node& vcpu) {
    const std::string current = vcpu.attribute("current").value();
    const std::string all(trimmed(vcpu.child_value(), " \t\r\n"));
    return parse_whole<std::uint64_t>(current.empty() ? all : current).value_or(1);
}

void read_domain_vcpu(DomainParts& domain, const pugi::xml_node& vcpu) {
    XmlLeft& xml = domain.xml;
    const std::string was = tag_of(vcpu) + xml.text(vcpu);
    const auto most = parse_whole<std::uint64_t>(xml.text(vcpu)).value_or(1);
    for (const char* const part : {"current", "placement"})
        xml.attribute(vcpu, part);
    std::string why;
    if (domain.cpus < most)
        add_reason(why, "CPUs cannot be plugged in later (there could be up to " +
                            std::to_string(most) + "): cpus = says how many there are");
    if (domain.cpus > 1 && domain.hypervisor.empty() &&
        !vcpu.parent().child("cpu").child("topology"))
        add_reason(why, "all in one socket; libvirt gave each CPU a socket of its own");
    constexpr std::uint64_t most_of_qemu = 4096;
    if (domain.cpus == 0 || domain.cpus > most_of_qemu)
        throw LauncherError(domain.source + ": " + shown(was) + ": a VM has 1 to " +
                            std::to_string(most_of_qemu) + " CPUs");
    why = domain.with_left(vcpu, why);
    if (domain.cpus > CpuTopology::most_cpus)
        keep_cpus(domain, was,
                  std::to_string(domain.cpus) + ",sockets=1,cores=" + std::to_string(domain.cpus) +
                      ",threads=1",
                  why);
    else
        domain.set(was, "cpus", std::to_string(domain.cpus), why);
}

void read_domain_cpu(DomainParts& domain, const pugi::xml_node& cpu) {
    XmlLeft& xml = domain.xml;
    if (const pugi::xml_node topology = cpu.child("topology")) {
        const auto part = [&](const char* key) {
            const auto number = parse_whole<std::uint64_t>(xml.attribute(topology, key));
            return std::clamp<std::uint64_t>(number.value_or(1), 1, 65535);
        };
        const std::uint64_t sockets = part("sockets");
        const std::uint64_t dies = part("dies");
        const std::uint64_t clusters = part("clusters");
        const std::uint64_t cores = part("cores");
        const std::uint64_t threads = part("threads");
        const std::uint64_t total = sockets * dies * clusters * cores * threads;
        const std::string was = tag_of(topology);
        const std::string value =
            std::to_string(domain.cpus) + ",sockets=" + std::to_string(sockets) +
            (dies > 1 ? ",dies=" + std::to_string(dies) : "") + ",cores=" + std::to_string(cores) +
            ",threads=" + std::to_string(threads);
        if (total == domain.cpus && clusters > 1)
            domain.result.dropped(was, "no PC of QEMU's has clusters");
        else if (total == domain.cpus && dies == 1 && total <= CpuTopology::most_cpus)
            domain.set(was, "cpus", value);
        else if (total == domain.cpus)
            keep_cpus(domain, was, value,
                      dies > 1 ? "cpus = has only sockets, cores and threads" : "");
        else
            domain.result.dropped(was, "it makes " + std::to_string(total) +
                                           " CPUs, but the guest starts with " +
                                           std::to_string(domain.cpus));
        xml.take(topology);
    }
    std::string why;
    xml.take(cpu.child("numa"));  // read_domain_backing() reads it
    read_model(domain, cpu, why);
}

}  // namespace tapgate

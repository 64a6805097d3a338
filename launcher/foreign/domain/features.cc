// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// Seconds since 1970 as the date of -rtc base=; empty if it is not such a number.
std::string date_of(const std::string& seconds) {
    constexpr std::int64_t latest = 253402300799;  // the end of the year 9999
    const auto number = parse_whole<std::uint64_t>(seconds);
    if (!number || *number > static_cast<std::uint64_t>(latest))
        return {};
    const auto time = static_cast<std::time_t>(*number);
    std::tm parts = {};
    std::array<char, 32> text = {};
    if (gmtime_r(&time, &parts) == nullptr)
        return {};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts)};
}

}  // namespace

void read_domain_clock(DomainParts& domain, const pugi::xml_node& clock) {
    XmlLeft& xml = domain.xml;
    const std::string was = tag_of(clock) + xml.text(clock);
    const std::string said = xml.attribute(clock, "offset");
    const std::string old = xml.attribute(clock, "sync");  // as in the first versions of libvirt
    const std::string& offset = said.empty() ? old : said;
    const std::string adjustment = xml.attribute(clock, "adjustment");
    const bool local = xml.attribute(clock, "basis") == "localtime" || offset == "localtime";
    const std::string start = offset == "absolute" ? date_of(xml.attribute(clock, "start")) : "";
    std::string why;
    if (!adjustment.empty() && adjustment != "0" && adjustment != "reset")
        why = "the guest's clock was " + adjustment + " s off; it now starts with the right time";
    if (local)
        domain.result.keep(was, {"-rtc", "base=localtime"}, why);
    else if (!start.empty())
        domain.result.keep(was, {"-rtc", "base=" + start});
    else if (!why.empty())
        domain.result.dropped(was, why);
    else if (offset == "timezone" || offset == "absolute")
        domain.result.dropped(was, "the clock starts in UTC; see -rtc in qemu(1), and --qemu-arg");
    else
        domain.result.dropped(was, "the clock of tapgate's VMs is in UTC, too");
    for (const pugi::xml_node& timer : clock.children("timer")) {
        const std::string name = xml.attribute(timer, "name");
        const bool present = xml.attribute(timer, "present") != "no";
        const std::string policy = xml.attribute(timer, "tickpolicy");
        const bool ours = (name == "rtc" && policy == "catchup") ||
                          (name == "pit" && policy == "delay") || (name == "hpet" && !present) ||
                          (name == "kvmclock" && present);
        if (name == "hpet" && present)
            domain.result.keep(tag_of(timer), {"-machine", "hpet=on"}, domain.with_left(timer, ""));
        else
            domain.result.dropped(
                tag_of(timer),
                domain.with_left(timer, ours ? "tapgate's VMs have the same"
                                             : "tapgate sets up its timers in its own way"));
    }
}

namespace {

// How much memory the firmware has for itself, in MiB.
void keep_smm_memory(DomainParts& domain, const pugi::xml_node& segment, const std::string& was) {
    const std::string unit = domain.xml.attribute(segment, "unit");
    const auto size = parse_whole<unsigned>(domain.xml.text(segment), 1, 4096);
    if (size && unit == "MiB")
        domain.result.keep(was, {"-global", "mch.extended-tseg-mbytes=" + std::to_string(*size)});
    else
        domain.result.dropped(was,
                              "only a size in MiB can be imported; see extended-tseg-mbytes of "
                              "QEMU's mch, and --qemu-arg");
}

}  // namespace

void read_domain_features(DomainParts& domain, const pugi::xml_node& features) {
    XmlLeft& xml = domain.xml;
    for (const pugi::xml_node& feature : features.children()) {
        if (feature.type() != pugi::node_element)
            continue;
        const std::string_view name = feature.name();
        const bool off = xml.attribute(feature, "state") == "off";
        domain.has_acpi = domain.has_acpi || name == "acpi";
        std::string inside;
        for (const pugi::xml_node& child : feature.children())
            inside += child.type() == pugi::node_element ? tag_of(child) + contents_of(child)
                                                         : child.value();
        const std::string was = tag_of(feature) + std::string(trimmed(inside, " \t\r\n"));
        const pugi::xml_node segment = feature.child("tseg");
        if (name == "smm" && !off && segment) {
            keep_smm_memory(domain, segment, was);
        } else if (name == "ps2" && off) {
            domain.result.keep(was, {"-machine", "i8042=off"});
        } else if (name == "apic" && !xml.attribute(feature, "eoi").empty()) {
            domain.result.dropped(
                was, "it is set together with the CPU: cpu=MODEL,kvm-pv-eoi=on (or off)");
        } else if (name == "smm" && !off)
            domain.result.dropped(was, "tapgate turns it on if the firmware needs it");
        else if (name == "acpi" || (name == "apic" && inside.empty()) || name == "pae" ||
                 (name == "vmport" && off) || (name == "vmcoreinfo" && off) ||
                 (name == "pmu" && !off))
            domain.result.dropped(was, "tapgate's VMs have the same");
        else if (name == "hyperv")
            domain.result.dropped(
                was,
                "these make Windows faster; cpu=host,hv-relaxed=on,hv-vapic=on,hv-time=on turns "
                "them on, with KVM");
        else if (name == "kvm" || name == "pmu")
            domain.result.dropped(was, "it is set together with the CPU: cpu=MODEL," +
                                           std::string(name == "pmu" ? "pmu=off" : "kvm=off"));
        else if (name == "ioapic" && xml.attribute(feature, "driver") == "qemu")
            domain.result.keep(was, {"-machine", "kernel-irqchip=split"});
        else if (name == "vmcoreinfo")
            domain.result.keep(was, {"-device", "vmcoreinfo"});
        else
            domain.result.dropped(was, "tapgate has no setting for it; see --qemu-arg");
    }
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/hardware.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/qemu/control.h"

namespace tapgate {

namespace {

using nlohmann::json;

// The devices with an id, and those without one, which have numbers.
constexpr const char* device_lists[] = {"/machine/peripheral", "/machine/peripheral-anon"};

// A device of this type only holds others.
constexpr std::string_view root_port = "pcie-root-port";

// A property as text; empty when there is no such property, as of a device that is just leaving.
std::string property(QmpClient& qmp, const std::string& path, const char* name) {
    const QmpAnswer answer =
        qmp.execute("qom-get", {{"path", path}, {"property", name}}, qmp_limit);
    if (!answer.ok() || answer.value.is_null())
        return {};
    return answer.value.is_string() ? answer.value.get<std::string>() : answer.value.dump();
}

std::string without_end(std::string text, std::string_view end) {
    if (text.ends_with(end))
        text.resize(text.size() - end.size());
    return text;
}

// "virtio-blk-pci" of "child<virtio-blk-pci>"; empty for what is no child.
std::string child_type(const std::string& type) {
    constexpr std::string_view begin = "child<";
    return type.starts_with(begin) && type.ends_with('>')
               ? type.substr(begin.size(), type.size() - begin.size() - 1)
               : "";
}

void add_devices(QmpClient& qmp, const std::string& list, Hardware& hardware) {
    for (const json& one : qmp_command(qmp, "qom-list", {{"path", list}})) {
        const std::string type = child_type(one.at("type"));
        if (type.empty())
            continue;
        const std::string id = one.at("name");
        const std::string bus = property(qmp, list + "/" + id, "parent_bus");
        // Only its own name: those above are QEMU's, and another one has others.
        hardware.devices[id] = {
            type, bus.substr(bus.rfind('/') + 1) + " " + property(qmp, list + "/" + id, "addr")};
    }
}

// In the form of the option cpus, whose levels are those of one socket where it gives none.
std::string topology_of(const json& cpus) {
    std::map<std::string, std::uint64_t> most;
    for (const json& cpu : cpus) {
        for (const char* key : {"socket-id", "core-id", "thread-id"}) {
            const auto number = cpu.at("props").value(key, std::uint64_t{0}) + 1;
            most[key] = std::max(most[key], number);
        }
    }
    std::string text = std::to_string(cpus.size());
    if (most["core-id"] != cpus.size())
        text += ",sockets=" + std::to_string(most["socket-id"]) +
                ",cores=" + std::to_string(most["core-id"]) +
                ",threads=" + std::to_string(most["thread-id"]);
    return text;
}

std::string firmware_of(QmpClient& qmp) {
    for (const json& node : qmp_command(qmp, "query-named-block-nodes", {{"flat", true}})) {
        if (node.value("node-name", "") == "uefi-code")
            return node.value("file", "");
    }
    return "bios";
}

void add(std::string& list, const std::string& part) {
    list += (list.empty() ? "" : ", ") + part;
}

std::string setting(const Hardware& hardware, const std::string& key) {
    const auto found = hardware.settings.find(key);
    return found == hardware.settings.end() ? "" : found->second;
}

std::string called(const std::string& id, const Hardware::Device& device) {
    // What has no id has only a number in QEMU's list.
    return id.starts_with("device[") ? "one more " + shown(device.type)
                                     : shown(id) + " (" + shown(device.type) + ")";
}

std::string changed_settings(const Hardware& then, const Hardware& now) {
    std::string text;
    for (const auto& [key, was] : then.settings) {
        const std::string is = setting(now, key);
        if (was == is)
            continue;
        if (key == "kernel")
            add(text, is.empty() ? "QEMU loaded its kernel" : "QEMU did not load its kernel");
        else
            add(text, shown(key) + " was " + shown(was) + " and is " + shown(is));
    }
    return text;
}

std::string changed_devices(const Hardware& then, const Hardware& now, bool ports) {
    std::string text;
    for (const auto& [id, was] : then.devices) {
        if ((was.type == root_port) != ports)
            continue;
        const auto is = now.devices.find(id);
        if (is == now.devices.end())
            add(text, called(id, was) + " was there");
        else if (is->second.type != was.type)
            add(text,
                shown(id) + " was a " + shown(was.type) + " and is a " + shown(is->second.type));
    }
    for (const auto& [id, is] : now.devices) {
        if ((is.type == root_port) == ports && !then.devices.contains(id))
            add(text, called(id, is) + " was not there");
    }
    return text;
}

std::string moved_devices(const Hardware& then, const Hardware& now) {
    std::string text;
    for (const auto& [id, was] : then.devices) {
        const auto is = now.devices.find(id);
        if (is != now.devices.end() && is->second.place != was.place)
            add(text, called(id, was) + " was at another place");
    }
    return text;
}

}  // namespace

Hardware hardware_of(QmpClient& qmp) {
    try {
        Hardware hardware;
        auto& settings = hardware.settings;
        settings["machine"] = without_end(property(qmp, "/machine", "type"), "-machine");
        settings["kernel"] = property(qmp, "/machine", "kernel").empty() ? "" : "given";
        settings["firmware"] = firmware_of(qmp);
        const std::uint64_t memory =
            qmp_command(qmp, "query-memory-size-summary").at("base-memory");
        settings["memory"] = std::to_string(memory >> 20U) + "M";
        settings["accel"] = qmp_command(qmp, "query-kvm").value("enabled", false) ? "kvm" : "tcg";
        const json cpus = qmp_command(qmp, "query-cpus-fast");
        settings["cpus"] = topology_of(cpus);
        settings["cpu"] =
            without_end(property(qmp, cpus.at(0).at("qom-path"), "type"), "-x86_64-cpu");
        for (const char* list : device_lists)
            add_devices(qmp, list, hardware);
        return hardware;
    } catch (const json::exception&) {
        throw LauncherError("QEMU's answer is not the one expected");
    }
}

std::string difference_between(const Hardware& then, const Hardware& now) {
    std::string text = changed_settings(then, now);
    if (const std::string devices = changed_devices(then, now, false); !devices.empty())
        add(text, devices);
    // These follow from what is above, where there is something.
    if (text.empty())
        text = changed_devices(then, now, true);
    return text.empty() ? moved_devices(then, now) : text;
}

std::string settings_to_restore(const Hardware& then, const Hardware& now) {
    std::string words;
    for (const auto& [key, was] : then.settings) {
        if (key != "firmware" && key != "kernel" && was != setting(now, key))
            words += (words.empty() ? "" : " ") + shell_text({key + "=" + was});
    }
    return words;
}

json json_of(const Hardware& hardware) {
    json devices = json::object();
    for (const auto& [id, device] : hardware.devices)
        devices[id] = {{"type", device.type}, {"place", device.place}};
    return {{"settings", hardware.settings}, {"devices", devices}};
}

std::optional<Hardware> hardware_in(const json& json) {
    try {
        Hardware hardware;
        json.at("settings").get_to(hardware.settings);
        for (const auto& [id, device] : json.at("devices").items())
            hardware.devices[id] = {device.at("type"), device.at("place")};
        return hardware;
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    }
}

}  // namespace tapgate

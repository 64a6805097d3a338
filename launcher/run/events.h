// SPDX-License-Identifier: GPL-2.0-or-later
//
// `tapgate events`: shows what happens to VMs as it happens.
//
// Each VM has a separate QMP for this (events.sock), since a QMP talks with one client at a time
// and the other verbs need the first one. For the same reason a VM can have only one follower.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/names.h"

namespace tapgate {

/// Something that happened to a VM.
struct VmEvent {
    std::string vm;
    std::int64_t time = 0;  ///< microseconds since 1970
    std::string event;      ///< in a word: "paused", "device-removed"
    std::string detail;     ///< in more words, fit for a terminal; may be empty
    nlohmann::json qemu;    ///< QEMU's own event; null when it does not come from QEMU
};

/// QEMU's event in our words; one that we have no word for keeps QEMU's name. Nothing for events
/// that happen all the time and tell nobody anything. `now` is for an event without a time.
std::optional<VmEvent> vm_event(const VmName& vm, const nlohmann::json& qemu, std::int64_t now);

/// "12:34:56 lab paused", in local time.
std::string event_text(const VmEvent& event);

/// The event as one line of JSON, in ASCII.
std::string event_json(const VmEvent& event);

/// Prints what happens to the VM, or without a name to all of the user's VMs on this host, a line
/// for each event, until it is interrupted. Waits for a VM that is off. Throws a LauncherError when
/// somebody else follows the VM.
[[noreturn]] void follow_events(const std::optional<VmName>& name, bool json);

}  // namespace tapgate

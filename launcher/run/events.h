// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate events: what happens to VMs, as it happens.
//
// Each VM has a QMP of its own for that (events.sock), since QMP talks with one client at a time,
// and the other verbs want to be that on the other one. So there is one follower of a VM, too.
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
    std::string event;      ///< a word: "paused", "device-removed"
    std::string detail;     ///< more words, fit for a terminal; may be empty
    nlohmann::json qemu;    ///< QEMU's own event; null when it is not QEMU that tells
};

/// What QEMU tells, in our words: what has none there is called as QEMU calls it. Nothing for what
/// happens all the time and tells nobody anything. `now`: for an event without a time.
std::optional<VmEvent> vm_event(const VmName& vm, const nlohmann::json& qemu, std::int64_t now);

/// "12:34:56 lab paused", the time of this place.
std::string event_text(const VmEvent& event);

/// One line of JSON, in ASCII.
std::string event_json(const VmEvent& event);

/// Prints what happens to the VM, or without one to all of the user's on this host, a line for
/// each, until it is interrupted. A VM that is off is waited for. Throws a LauncherError when
/// another follows the VM.
[[noreturn]] void follow_events(const std::optional<VmName>& name, bool json);

}  // namespace tapgate

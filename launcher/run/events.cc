// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/events.h"

#include <poll.h>

#include <array>
#include <chrono>
#include <ctime>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/base/output.h"
#include "launcher/base/text.h"
#include "launcher/qemu/qmp_client.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

// How often to look for VMs and devices that are new, in ms: QEMU has no event for either.
constexpr int look_again = 1000;
constexpr milliseconds connect_limit{1000};
// The time from QEMU's end to its supervisor's.
constexpr milliseconds end_limit{2000};

constexpr std::pair<std::string_view, std::string_view> our_words[] = {
    {"STOP", "paused"},
    {"RESUME", "resumed"},
    {"RESET", "reset"},
    {"POWERDOWN", "powerdown"},
    {"SHUTDOWN", "shutdown"},
    {"BLOCK_IO_ERROR", "io-error"},
    {"DEVICE_DELETED", "device-removed"},
    {"DEVICE_UNPLUG_GUEST_ERROR", "device-kept"},
    {"DEVICE_TRAY_MOVED", "tray"},
    {"GUEST_PANICKED", "guest-panicked"},
    {"VNC_INITIALIZED", "viewer-connected"},
    {"VNC_DISCONNECTED", "viewer-disconnected"},
};

// Events that are not worth telling, such as the clock's: a guest could cause them forever.
constexpr std::string_view not_told[] = {"RTC_CHANGE", "VNC_CONNECTED", "NIC_RX_FILTER_CHANGED",
                                         "BALLOON_CHANGE"};

std::int64_t microseconds_now() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string string_of(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? shown(found->get<std::string>()) : "";
}

bool flag_of(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::int64_t number_of(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : -1;
}

// The important part of an event's data.
std::string detail_of(const std::string& event, const json& data) {
    if (event == "SHUTDOWN" || event == "RESET")
        return string_of(data, "reason");
    if (event == "BLOCK_IO_ERROR") {
        const std::string device = string_of(data, "qom-path");
        const std::string text = device.empty() ? string_of(data, "device") : device;
        return text + (text.empty() ? "" : ": ") + string_of(data, "operation") +
               (flag_of(data, "nospace") ? ", the host's disk is full" : "");
    }
    if (event == "DEVICE_TRAY_MOVED")
        return string_of(data, "id") + (flag_of(data, "tray-open") ? " open" : " closed");
    if (event == "VSERPORT_CHANGE")
        return string_of(data, "id") + (flag_of(data, "open") ? " open" : " closed");
    const std::string device = string_of(data, "device");
    return device.empty() ? string_of(data, "path") : device;
}

// Turns "WATCHDOG_EXPIRED" into "watchdog-expired".
std::string as_word(const std::string& name) {
    std::string word = terminal_text(name, 80);
    for (char& c : word) {
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
        else if (c == '_' || c == ' ')
            c = '-';
    }
    return word;
}

// A VM that is being followed.
class Followed {
  public:
    Followed(VmName name, QmpClient qmp) : name_(std::move(name)), qmp_(std::move(qmp)) {
        devices_ = named_devices();
    }

    [[nodiscard]] int fd() const { return qmp_.fd(); }

    // The events since the last call. Throws a QmpError when QEMU has ended.
    std::vector<VmEvent> events() {
        std::vector<VmEvent> events;
        const std::uint64_t lost = qmp_.lost_events();
        while (const auto one = qmp_.next_event(milliseconds(0))) {
            if (auto event = vm_event(name_, *one, microseconds_now()))
                events.push_back(std::move(*event));
        }
        if (qmp_.lost_events() > lost)
            events.push_back(own("lost", std::to_string(qmp_.lost_events() - lost) + " events"));
        return events;
    }

    // The devices that are new since the last call.
    std::vector<VmEvent> new_devices() {
        std::vector<VmEvent> events;
        std::set<std::string> now = named_devices();
        for (const std::string& device : now)
            if (!devices_.contains(device))
                events.push_back(own("device-added", shown(device)));
        devices_ = std::move(now);
        return events;
    }

    [[nodiscard]] VmEvent own(const std::string& event, const std::string& detail) const {
        return {name_.str(), microseconds_now(), event, detail, nullptr};
    }

  private:
    std::set<std::string> named_devices() {
        std::set<std::string> names;
        const QmpAnswer answer =
            qmp_.execute("qom-list", {{"path", "/machine/peripheral"}}, connect_limit);
        for (const json& one : answer.ok() ? answer.value : json::array()) {
            const auto name = one.is_object() ? one.find("name") : one.end();
            if (name != one.end() && name->is_string() &&
                string_of(one, "type").starts_with("child<"))
                names.insert(name->get<std::string>());
        }
        return names;
    }

    VmName name_;
    QmpClient qmp_;
    std::set<std::string> devices_;
};

class Follower {
  public:
    Follower(std::optional<VmName> name, bool as_json) : name_(std::move(name)), json_(as_json) {}

    [[noreturn]] void run() {
        for (bool first = true;; first = false) {
            for (const VmName& name : name_ ? std::vector<VmName>{*name_} : vms_with_state())
                find(name, first);
            std::vector<pollfd> fds;
            for (const auto& [name, vm] : followed_)
                fds.push_back({vm.fd(), POLLIN, 0});
            poll(fds.data(), fds.size(), look_again);
            for (auto one = followed_.begin(); one != followed_.end();)
                one = tell(one) ? std::next(one) : followed_.erase(one);
        }
    }

  private:
    void print_event(const VmEvent& event) const {
        print(json_ ? event_json(event) : event_text(event));
    }

    // Begins to follow the VM if it runs.
    void find(const VmName& name, bool first) {
        const pid_t pid = vm_state(name).qemu;
        if (followed_.contains(name.str()) || pid == 0 || refused_[name.str()] == pid) {
            if (first && name_ && pid == 0)
                note(name.str() + " is off; what happens to it is told from its start on");
            return;
        }
        try {
            const auto [one, is_new] = followed_.try_emplace(
                name.str(), name, QmpClient::connect(events_path(name), connect_limit));
            if (!first)
                print_event(one->second.own("started", ""));
        } catch (const QmpError& error) {
            // It has ended meanwhile, or is not that far yet.
            if (vm_state(name).qemu != pid)
                return;
            const std::string lost = why_lost(name);
            const std::string why =
                !lost.empty() ? lost
                : error.kind() == QmpError::Kind::too_slow
                    ? name.str() + " is followed by another tapgate events already"
                    : name.str() + ": " + error.what() +
                          "; one that an older tapgate has started tells nothing until: tapgate "
                          "restart " +
                          name.str();
            if (name_)
                throw LauncherError(why);
            note(why);
            refused_[name.str()] = pid;
        }
    }

    // Prints the VM's new events. False when it has ended.
    bool tell(std::map<std::string, Followed>::iterator one) {
        Followed& vm = one->second;
        try {
            for (const VmEvent& event : vm.events())
                print_event(event);
            for (const VmEvent& event : vm.new_devices())
                print_event(event);
            for (const VmEvent& event : vm.events())
                print_event(event);
            return true;
        } catch (const QmpError& error) {
            if (error.kind() == QmpError::Kind::too_slow)
                return true;
        }
        tell_end(vm, VmName::parse(one->first).value());
        return false;
    }

    void tell_end(Followed& vm, const VmName& name) const {
        // Events from before its end have been kept.
        try {
            for (const VmEvent& event : vm.events())
                print_event(event);
        } catch (const QmpError&) {  // NOLINT(bugprone-empty-catch)
        }
        Life life = vm_state(name).life;
        const auto deadline = std::chrono::steady_clock::now() + end_limit;
        while (life != Life::off && life != Life::crashed &&
               std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(milliseconds(20));
            life = vm_state(name).life;
        }
        print_event(vm.own("ended", std::string(name_of(life))));
    }

    std::optional<VmName> name_;
    bool json_;
    std::map<std::string, Followed> followed_;
    std::map<std::string, pid_t> refused_;
};

}  // namespace

std::optional<VmEvent> vm_event(const VmName& vm, const json& qemu, std::int64_t now) {
    const auto name = qemu.is_object() ? qemu.find("event") : qemu.end();
    if (name == qemu.end() || !name->is_string())
        return std::nullopt;
    const std::string event = name->get<std::string>();
    for (const std::string_view one : not_told)
        if (event == one)
            return std::nullopt;
    const json data = qemu.value("data", json::object());
    // An unnamed part of a removed device, which says nothing that the device does not.
    if (event == "DEVICE_DELETED" && string_of(data, "device").empty())
        return std::nullopt;
    VmEvent result{vm.str(), now, as_word(event), detail_of(event, data), qemu};
    for (const auto& [theirs, ours] : our_words)
        if (event == theirs)
            result.event = ours;
    const json time = qemu.value("timestamp", json());
    const std::int64_t seconds = number_of(time, "seconds");
    // Within the range of a clock.
    if (seconds > 0 && seconds < (std::int64_t{1} << 40))
        result.time = seconds * 1000000 + number_of(time, "microseconds") % 1000000;
    return result;
}

std::string event_text(const VmEvent& event) {
    const std::time_t seconds = event.time / 1000000;
    std::tm local{};
    std::array<char, 16> clock{};
    if (localtime_r(&seconds, &local) != nullptr)
        std::strftime(clock.data(), clock.size(), "%H:%M:%S", &local);
    return std::string(clock.data()) + " " + event.vm + " " + event.event +
           (event.detail.empty() ? "" : " " + event.detail) + "\n";
}

std::string event_json(const VmEvent& event) {
    nlohmann::ordered_json line = {{"time", static_cast<double>(event.time) / 1e6},
                                   {"vm", event.vm},
                                   {"event", event.event},
                                   {"detail", event.detail}};
    if (!event.qemu.is_null())
        line["qemu"] = event.qemu;
    return line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void follow_events(const std::optional<VmName>& name, bool json) {
    if (name)
        require_vm(*name);
    Follower(name, json).run();
}

}  // namespace tapgate

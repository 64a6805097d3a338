// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdlib>

#include <gtest/gtest.h>

#include "launcher/run/events.h"

namespace tapgate {
namespace {

using nlohmann::json;

const VmName lab = VmName::parse("lab").value();

std::string told(const std::string& qemu) {
    const auto event = vm_event(lab, json::parse(qemu), 5'000'000);
    return event ? event->event + "|" + event->detail : "nothing";
}

TEST(VmEvent, HasOurWords) {
    EXPECT_EQ(told(R"({"event": "STOP"})"), "paused|");
    EXPECT_EQ(told(R"({"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}})"),
              "shutdown|guest-shutdown");
    EXPECT_EQ(told(R"({"event": "DEVICE_DELETED", "data": {"device": "disk1", "path": "/x"}})"),
              "device-removed|disk1");
    EXPECT_EQ(told(R"({"event": "DEVICE_DELETED", "data": {"path": "/x/virtio-backend"}})"),
              "nothing");
    EXPECT_EQ(told(R"({"event": "BLOCK_IO_ERROR", "data": {"device": "", "qom-path": "/m/disk0",)"
                   R"( "operation": "write", "nospace": true}})"),
              "io-error|/m/disk0: write, the host's disk is full");
    EXPECT_EQ(
        told(R"({"event": "DEVICE_TRAY_MOVED", "data": {"id": "cdrom0", "tray-open": true}})"),
        "tray|cdrom0 open");
    EXPECT_EQ(told(R"({"event": "WATCHDOG_EXPIRED"})"), "watchdog-expired|");
    EXPECT_EQ(told(R"({"event": "RTC_CHANGE", "data": {"offset": 1}})"), "nothing");
}

// A guest may have broken into QEMU.
TEST(VmEvent, TrustsNothing) {
    EXPECT_EQ(told("[]"), "nothing");
    EXPECT_EQ(told(R"({"event": 5})"), "nothing");
    EXPECT_EQ(told(R"({"event": "STOP", "timestamp": 7, "data": {"reason": 4}})"), "paused|");
    EXPECT_EQ(told(R"({"event": "SHUTDOWN", "data": {"reason": ["x"]}})"), "shutdown|");
    for (const char* const text :
         {R"({"event": "A\u001b[2J\u009b\n"})",
          R"({"event": "SHUTDOWN", "data": {"reason": "\u001b[2J\u009b\n"}})",
          R"({"event": "X", "data": {"device": "\u001b]0;t\u0007\u202e"}})"}) {
        const VmEvent event = vm_event(lab, json::parse(text), 1).value();
        std::string line = event_text(event);
        EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
        for (const std::string& out : {line.substr(0, line.size() - 1), event_json(event)}) {
            EXPECT_EQ(out.find('\x1b'), std::string::npos) << out;
            EXPECT_EQ(out.find("\xc2\x9b"), std::string::npos) << out;
            // NOLINTNEXTLINE(misc-misleading-bidirectional): this is what must not be in it
            EXPECT_EQ(out.find("\xe2\x80\xae"), std::string::npos) << out;
        }
    }
    // What a clock cannot say is said by ours.
    for (const char* const seconds : {"-1", "1e300", "9223372036854775807", "null"})
        EXPECT_EQ(vm_event(lab,
                           json::parse(R"({"event": "STOP", "timestamp": {"seconds": )" +
                                       std::string(seconds) + R"(, "microseconds": 1}})"),
                           7)
                      ->time,
                  7)
            << seconds;
    // Not UTF-8 is replaced, and the line stays one.
    const VmEvent event{"lab", 1, "x", "", json{{"event", "\xff"}}};
    EXPECT_EQ(json::parse(event_json(event))["qemu"]["event"], "\xef\xbf\xbd");
}

TEST(VmEvent, IsALine) {
    setenv("TZ", "UTC", 1);  // NOLINT(concurrency-mt-unsafe)
    tzset();
    const VmEvent event =
        vm_event(lab,
                 json::parse(R"({"event": "SHUTDOWN", "data": {"reason": "host-signal"},)"
                             R"( "timestamp": {"seconds": 86399, "microseconds": 500000}})"),
                 0)
            .value();
    EXPECT_EQ(event_text(event), "23:59:59 lab shutdown host-signal\n");
    const json line = json::parse(event_json(event));
    EXPECT_EQ(line["time"], 86399.5);
    EXPECT_EQ(line["vm"], "lab");
    EXPECT_EQ(line["event"], "shutdown");
    EXPECT_EQ(line["detail"], "host-signal");
    EXPECT_EQ(line["qemu"]["data"]["reason"], "host-signal");
}

}  // namespace
}  // namespace tapgate

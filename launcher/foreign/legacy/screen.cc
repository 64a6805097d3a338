// SPDX-License-Identifier: GPL-2.0-or-later
//
// Screens: windows, VNC, SPICE, none.
#include <algorithm>

#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

std::optional<unsigned> display_number(std::string_view text) {
    constexpr unsigned most = 59999;
    return parse_whole<unsigned>(text, 0, most);
}

bool asks_for_gl(const LegacyOption& option) {
    const std::string gl = Properties::parse(option.value, "type").get("gl");
    return !gl.empty() && gl != "off";
}

void say_no_screen(LegacyParts& parts, const std::string& was) {
    parts.no_screen.append(parts.no_screen.empty() ? "" : " ").append(was);
}

// Without a VGA adapter, a viewer has nothing to show.
void take_no_vga(LegacyParts& parts) {
    say_no_screen(parts, parts.no_vga);
    parts.screen = false;
    const bool has_picture =
        std::any_of(parts.devices.begin(), parts.devices.end(), [](const LegacyDevice& device) {
            return device.properties.get("driver").starts_with("vfio-pci") &&
                   is_true(device.properties.get("display"));
        });
    for (TranslationNote& note : parts.result.notes) {
        if (note.became == "display = vnc")
            note = {TranslationNote::Kind::dropped,
                    note.was,
                    {},
                    has_picture
                        ? "nothing here shows the picture of a card of the host's: use what "
                          "the guest has for its network (RDP, SSH)"
                        : "with -vga none the guest has no screen to look at"};
    }
}

}  // namespace

void take_display(LegacyParts& parts, const LegacyOption& option) {
    parts.opengl = parts.opengl || option.value.starts_with("egl-headless") || asks_for_gl(option);
    if (option.value == "none") {
        say_no_screen(parts, option.text);
    } else if (option.value.starts_with("vnc=")) {
        LegacyOption vnc = option;
        vnc.value.erase(0, 4);
        take_vnc(parts, vnc);
    } else if (option.value.starts_with("egl-headless")) {
        parts.result.dropped(option.text, "the screen does not need the host's graphics card");
    } else {
        take_screen(parts, option);
    }
}

void take_nographic(LegacyParts& parts, const LegacyOption& option) {
    say_no_screen(parts, option.text);
}

void take_vnc(LegacyParts& parts, const LegacyOption& option) {
    const size_t comma = std::min(option.value.find(','), option.value.size());
    const std::string where = option.value.substr(0, comma);
    if (where == "none") {
        parts.result.dropped(option.text, "it only says that there is no VNC");
        return;
    }
    parts.screen = true;
    std::string why = "on a socket that only you can open";
    const size_t colon = where.rfind(':');
    const auto number = colon == std::string::npos
                            ? std::nullopt
                            : display_number(std::string_view(where).substr(colon + 1));
    if (where.starts_with("unix:")) {
        why += ", in the VM's directory";
    } else if (number) {
        const bool local = where.starts_with("127.") || where.starts_with("localhost");
        why += "; it was port " + std::to_string(5900 + *number) + " of " +
               (local ? "this host, for all its users"
                : colon == 0 || where.starts_with("0.0.0.0") || where.starts_with("[::]")
                    ? "every address of the host"
                    : where.substr(0, colon));
        why += option.value.find("password") == std::string::npos ? ", without a password" : "";
    }
    if (comma + 1 < option.value.size())
        add_reason(why, "left out: " + shown(option.value.substr(comma + 1)));
    parts.result.changed(option.text, "display = vnc", why);
}

void take_screen(LegacyParts& parts, const LegacyOption& option) {
    parts.opengl = parts.opengl || asks_for_gl(option);
    parts.screen = true;
    std::string why = "for a VNC viewer";
    if (option.value.find('=') != std::string::npos)
        add_reason(why, "left out: " + shown(option.value));
    parts.result.changed(option.text, "display = vnc", why);
}

void take_vga(LegacyParts& parts, const LegacyOption& option) {
    parts.vga_said = true;
    if (option.value == "none")
        parts.no_vga = option.text;
    else
        parts.result.dropped(option.text,
                             option.value == "std"
                                 ? "every VM with a screen has the same adapter"
                                 : "every VM with a screen has the standard VGA adapter");
}

void add_display(LegacyParts& parts) {
    const bool has_device = std::any_of(
        parts.devices.begin(), parts.devices.end(),
        [](const LegacyDevice& device) { return is_screen(device.properties.get("driver")); });
    if (!parts.no_vga.empty() && has_device)
        parts.result.dropped(parts.no_vga, "a -device is the guest's screen");
    else if (!parts.no_vga.empty())
        take_no_vga(parts);
    const bool had_vga = has_device || parts.vga_said || parts.defaults;
    const std::string serial = "the serial console is a socket and a log in the VM's directory";
    if (!parts.no_screen.empty() && parts.screen) {
        parts.result.dropped(parts.no_screen, "another option asks for a screen; " + serial);
    } else if (!parts.no_screen.empty()) {
        const bool loses = had_vga && (parts.no_vga.empty() || has_device);
        parts.set(parts.no_screen, "display", "none",
                  serial + (loses ? "; the guest has no VGA adapter then" : ""));
        return;
    } else if (!parts.screen && !parts.partial) {
        parts.result.added("display = vnc",
                           "QEMU would open a window; this is a socket for a VNC viewer instead");
    }
    if (parts.screen || !parts.partial)
        parts.result.set("display", "vnc");
}

}  // namespace tapgate

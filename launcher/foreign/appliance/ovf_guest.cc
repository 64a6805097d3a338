// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_guest.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// OSType of CIM_OperatingSystem, which the standard has for ovf:id.
constexpr std::array<std::string_view, 2> cim_dos = {"14", "15"};
// 95, 98, NT, 2000, Me, XP and 2003, the last two also of 64 bits.
constexpr std::array<std::string_view, 10> cim_old_windows = {"16", "17", "18", "58", "63",
                                                              "67", "69", "70", "71", "72"};
// Vista, 2008, 2008 R2 and 7.
constexpr std::array<std::string_view, 6> cim_windows_vista_to_7 = {"73", "74",  "76",
                                                                    "77", "103", "105"};

bool begins_with_one_of(const std::string& word, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view one) { return word.starts_with(one); });
}

}  // namespace

OvfGuest read_ovf_guest(const pugi::xml_node& system) {
    const pugi::xml_node section = ovf_section(system, "OperatingSystemSection");
    const std::string of_vmware = attribute_of(section, "osType");
    const std::string of_virtualbox = text_of(section, "OSType");
    OvfGuest guest;
    if (of_vmware.starts_with("arm"))
        guest.processor = of_vmware;
    else if (of_virtualbox.find("_arm") != std::string::npos)
        guest.processor = of_virtualbox;
    else if (const std::string word = text_of(section, "architecture");
             !word.empty() &&
             !begins_with_one_of(word, {"x86", "amd64", "i386", "i486", "i586", "i686"}))
        guest.processor = word;
    // Solaris' archives.
    else if (const std::string isa = attribute_of(system, "isa");
             !isa.empty() && !begins_with_one_of(isa, {"i386", "amd64"}))
        guest.processor = isa;
    // The standard's own number of the system counts where no program says more.
    const std::string number =
        of_vmware.empty() && of_virtualbox.empty() ? attribute_of(section, "id") : std::string();
    const bool dos = begins_with_one_of(of_vmware, {"dos", "win31"}) ||
                     begins_with_one_of(of_virtualbox, {"DOS", "Windows31"}) ||
                     is_one_of(number, cim_dos);
    guest.only_rtl8139 =
        begins_with_one_of(of_vmware,
                           {"win95", "win98", "winMe", "winNT", "win2000", "winXP", "winNet"}) ||
        begins_with_one_of(of_virtualbox, {"Windows95", "Windows98", "WindowsMe", "WindowsNT",
                                           "Windows2000", "WindowsXP", "Windows2003"}) ||
        is_one_of(number, cim_old_windows);
    guest.no_sata =
        dos || guest.only_rtl8139 ||
        begins_with_one_of(of_vmware, {"winVista", "winLonghorn", "longhorn", "windows7"}) ||
        begins_with_one_of(of_virtualbox, {"WindowsVista", "Windows2008", "Windows7"}) ||
        is_one_of(number, cim_windows_vista_to_7);
    return guest;
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/identity.h"

#include "launcher/base/sha256.h"

namespace tapgate {

namespace {

// The parts contain no NUL and are separated by NULs, so that two VMs never give the same text.
std::array<std::uint8_t, 32> digest(std::string_view what, const Owner& owner, const VmName& vm,
                                    unsigned index) {
    std::string text = "tapgate ";
    text.append(what);
    for (const std::string& part :
         {owner.machine_id, std::to_string(owner.uid), vm.str(), std::to_string(index)}) {
        text += '\0';
        text += part;
    }
    return sha256(text);
}

}  // namespace

MacAddress stable_mac(const Owner& owner, const VmName& vm, unsigned index) {
    const auto hash = digest("mac", owner, vm, index);
    return MacAddress::from_bytes({0x52, 0x54, 0x00, hash[0], hash[1], hash[2]}).value();
}

std::string stable_uuid(const Owner& owner, const VmName& vm) {
    auto hash = digest("uuid", owner, vm, 0);
    hash[6] = static_cast<std::uint8_t>((hash[6] & 0x0f) | 0x80);
    hash[8] = static_cast<std::uint8_t>((hash[8] & 0x3f) | 0x80);
    std::string text = hex_text(hash).substr(0, 32);
    for (const size_t dash : {8U, 13U, 18U, 23U})
        text.insert(dash, "-");
    return text;
}

}  // namespace tapgate

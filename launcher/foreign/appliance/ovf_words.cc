// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_words.h"

#include <algorithm>
#include <array>
#include <string>

#include "launcher/base/text.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

// What programs call the parts of each VM.
constexpr std::array<std::string_view, 62> usual = {
    "a",          "adapter",   "an",        "and",       "appliance",  "bus",
    "by",         "card",      "cd",        "cdrom",     "collection", "component",
    "controller", "cpu",       "cpus",      "describes", "device",     "disc",
    "disk",       "drive",     "dvd",       "ethernet",  "floppy",     "for",
    "general",    "graphical", "hard",      "hardware",  "ide",        "image",
    "in",         "info",      "interface", "machine",   "machines",   "mb",
    "memory",     "network",   "nic",       "no",        "number",     "of",
    "on",         "port",      "processor", "purpose",   "ram",        "requirements",
    "rom",        "s",         "sata",      "scsi",      "size",       "sound",
    "system",     "systems",   "the",       "this",      "usb",        "vapp",
    "virtual",    "vm"};

bool is_of_word(char c) {
    // Bytes of other letters than ASCII's are of words, too.
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<signed char>(c) < 0;
}

}  // namespace

bool says_more(std::string_view text, std::string_view known) {
    // "Harddisk" and "Hard disk" are the same words.
    std::string said = in_small_letters(known);
    std::erase_if(said, [](char c) { return !is_of_word(c); });
    const std::string words = in_small_letters(text);
    for (auto at = words.begin(); at != words.end();) {
        at = std::find_if(at, words.end(), is_of_word);
        const auto end = std::find_if_not(at, words.end(), is_of_word);
        const std::string word(at, end);
        // A single digit only counts such devices.
        const bool is_digit = word.size() == 1 && word[0] >= '0' && word[0] <= '9';
        if (!word.empty() && !is_digit && !is_one_of(word, usual) &&
            said.find(word) == std::string::npos)
            return true;
        at = end;
    }
    return false;
}

}  // namespace tapgate

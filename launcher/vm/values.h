// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the values of options mean: words become the types of spec.h. Each function throws a
// BadValue.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// What is wrong with a value; whoever knows the setting adds the place.
class BadValue : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The one of `choices` that is called `word`.
template <typename Value, size_t n>
Value choose(std::string_view word, const Choice<Value> (&choices)[n]) {
    std::vector<std::string_view> names;
    for (const auto& choice : choices) {
        if (choice.name == word)
            return choice.value;
        names.push_back(choice.name);
    }
    std::string all;
    for (const auto name : names)
        all.append(all.empty() ? "" : ", ").append(name);
    throw BadValue(quoted_word(word) + " is none of " + all + did_you_mean(word, names));
}

/// What a file of that name is, and how it becomes a disk, to be said behind the name; empty when
/// the name tells nothing of the kind.
std::string way_to_a_disk(std::string_view path);

/// "on" or "off".
bool parse_switch(std::string_view word);

/// A decimal number from `least` to `most`.
unsigned parse_number(std::string_view word, unsigned least, unsigned most);

/// A path; a relative one starts in `directory`.
HostPath parse_path(std::string_view text, const std::string& directory);

/// "4", or "8,sockets=2,cores=2,threads=2".
CpuTopology parse_cpus(std::string_view text);

/// "/a.qcow2,bus=scsi,...".
Disk parse_disk(std::string_view text, const std::string& directory);

/// "none" is the caller's; "user", "bridge:br0|user,model=e1000,...".
Net parse_net(std::string_view text);

/// "none", "vnc", "vnc:unix", "vnc:localhost:3", ...
void set_display(VmSpec& spec, std::string_view value);

/// Where the VM runs: "here", "slurm", "slurm,partition=vms,time=8:00:00".
void set_place(VmSpec& spec, std::string_view value);

/// "DIR[,tag=TAG][,readonly=on]". The tag is share0 when `index` is 0, and so on. Throws a
/// BadValue.
Share parse_share(std::string_view text, const std::string& directory, size_t index);

}  // namespace tapgate

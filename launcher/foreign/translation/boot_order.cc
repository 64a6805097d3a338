// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/translation/boot_order.h"

#include <algorithm>
#include <iterator>

namespace tapgate {

namespace {

// A kept device has this until its place is known.
std::string placeholder(unsigned number) {
    return ",bootindex=@" + std::to_string(number) + "@";
}

std::string_view word_of(BootKind kind) {
    return kind == BootKind::cdrom ? "cdrom" : kind == BootKind::net ? "net" : "disk";
}

void replace_in(std::string& text, const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

}  // namespace

void BootOrder::add(BootKind kind, std::optional<std::uint64_t> order, unsigned rank) {
    entries_.push_back({.kind = kind, .index = count(kind), .order = order, .rank = rank});
}

std::string BootOrder::add_kept(BootKind kind, std::optional<std::uint64_t> order, unsigned rank) {
    entries_.push_back({.kind = kind, .index = kept_, .kept = true, .order = order, .rank = rank});
    return placeholder(kept_++);
}

void BootOrder::add_floppy(char letter, std::optional<std::uint64_t> order) {
    entries_.push_back({.kind = BootKind::floppy, .kept = true, .floppy = letter, .order = order});
}

void BootOrder::set_kinds(std::vector<BootKind> kinds, const std::string& was) {
    kinds_ = std::move(kinds);
    add_source(was);
}

bool BootOrder::has_drive() const {
    return std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
        return entry.kind == BootKind::disk || entry.kind == BootKind::cdrom;
    });
}

void BootOrder::add_source(const std::string& was) {
    was_.append(was_.empty() || was.empty() ? "" : " ").append(was);
}

unsigned BootOrder::count(BootKind kind) const {
    return static_cast<unsigned>(
        std::count_if(entries_.begin(), entries_.end(),
                      [&](const Entry& entry) { return entry.kind == kind && !entry.kept; }));
}

// First those with an order, in that order; then the others by their kind.
std::vector<BootOrder::Entry> BootOrder::sequence() const {
    std::vector<Entry> result;
    for (const Entry& entry : entries_) {
        if (entry.order)
            result.push_back(entry);
    }
    std::stable_sort(result.begin(), result.end(),
                     [](const Entry& a, const Entry& b) { return *a.order < *b.order; });
    const bool only_said = strict_ && (!result.empty() || !kinds_.empty());
    std::vector<BootKind> kinds = kinds_;
    if (only_said && !result.empty() && !first_of_kind_)
        kinds.clear();
    if (!only_said) {
        for (const BootKind kind : default_boot_order) {
            if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
                kinds.push_back(kind);
        }
    }
    for (const BootKind kind : kinds) {
        std::vector<Entry> of_kind;
        for (const Entry& entry : entries_) {
            if (entry.kind == kind && !entry.order)
                of_kind.push_back(entry);
        }
        std::stable_sort(of_kind.begin(), of_kind.end(),
                         [](const Entry& a, const Entry& b) { return a.rank < b.rank; });
        if (first_of_kind_ && only_said && of_kind.size() > 1)
            of_kind.resize(1);
        result.insert(result.end(), of_kind.begin(), of_kind.end());
    }
    return result;
}

// "disk" for all disks in their order, "disk:1" for one of them.
std::string BootOrder::words(const std::vector<Entry>& sequence) const {
    std::string text;
    for (size_t at = 0; at < sequence.size();) {
        const Entry& entry = sequence[at];
        if (entry.kept) {
            at++;
            continue;
        }
        const unsigned all = count(entry.kind);
        size_t end = at;
        while (end < sequence.size() && !sequence[end].kept && sequence[end].kind == entry.kind &&
               sequence[end].index == end - at)
            end++;
        text.append(text.empty() ? "" : ",").append(word_of(entry.kind));
        if (end - at == all) {
            at = end;
        } else {
            text += ":" + std::to_string(entry.index);
            at++;
        }
    }
    return text;
}

void BootOrder::write_places(const std::vector<Entry>& sequence, Translation& result) const {
    for (unsigned number = 0; number < kept_; number++) {
        const auto entry = std::find_if(sequence.begin(), sequence.end(), [&](const Entry& one) {
            return one.kept && one.floppy == 0 && one.index == number;
        });
        const std::string place =
            entry == sequence.end()
                ? ""
                : ",bootindex=" + std::to_string(std::distance(sequence.begin(), entry) + 1);
        for (auto& [key, value] : result.settings)
            replace_in(value, placeholder(number), place);
        for (TranslationNote& note : result.notes)
            replace_in(note.became, placeholder(number), place);
    }
    for (size_t i = 0; i < sequence.size(); i++) {
        if (sequence[i].floppy != 0)
            result.keep("the floppy drive " + std::string(1, sequence[i].floppy) + ":",
                        {"-global", "isa-fdc.bootindex" + std::string(1, sequence[i].floppy) + "=" +
                                        std::to_string(i + 1)},
                        "its place in the boot order");
    }
}

void BootOrder::finish(Translation& result, std::string why) {
    const std::vector<Entry> order = sequence();
    write_places(order, result);
    const std::string text = words(order);
    const bool has_kept =
        std::any_of(order.begin(), order.end(), [](const Entry& entry) { return entry.kept; });
    if (incomplete_ && (has_kept || !text.empty()))
        add_reason(why,
                   "something to boot from was left out: when you add it, say with --boot= "
                   "where it comes");
    if (text.empty()) {
        if (!was_.empty() && has_kept)
            result.changed(was_, "bootindex= of the devices that are kept", why);
        else if (!was_.empty())
            result.dropped(
                was_, why.empty()
                          ? "there is no device of this kind, so the guest boots from the others"
                          : why);
        return;
    }
    // tapgate's default is disks, CD-ROMs, adapters.
    const bool is_ours = !has_kept && order.size() == entries_.size() &&
                         (text + ",").find(':') == std::string::npos &&
                         text.find("net,") == std::string::npos &&
                         text.find("cdrom,disk") == std::string::npos;
    if (was_.empty() && is_ours)
        return;
    result.set("boot", text);
    if (was_.empty())
        result.added(
            "boot = " + text,
            why.empty() ? "in the order in which its firmware would look for a system" : why);
    else
        result.changed(
            was_,
            "boot = " + text + (has_kept ? ", and bootindex= of the devices that are kept" : ""),
            why);
}

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// The policy as data, and the decision as a pure function of it. policy_parser.h and policy_file.h
// read the text of a policy.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// A place in a policy file. Lines count from 1.
struct Place {
    std::string file;
    unsigned line = 0;

    /// "FILE:LINE", fit for a message.
    [[nodiscard]] std::string str() const;
};

/// Turns names into ids. Asked only for a name that a decision depends on.
class NameService {
  public:
    NameService() = default;
    NameService(const NameService&) = delete;
    NameService& operator=(const NameService&) = delete;
    virtual ~NameService() = default;

    /// The id of the user or group; nothing when there is none of that name. Throws Failure when
    /// that cannot be found out: nothing is granted to somebody who cannot be identified.
    virtual std::optional<uid_t> user_id(const std::string& name) = 0;
    virtual std::optional<gid_t> group_id(const std::string& name) = 0;
};

/// Who asks, as far as it matters to a rule.
struct Asker {
    uid_t uid = 0;
    /// If `uid` is a subordinate uid (subuid(5)): its owner. The owner can act as any of his
    /// subordinate uids, so their taps count against his quota, and what a rule allows him is not
    /// theirs.
    std::optional<uid_t> owner = std::nullopt;
    std::vector<gid_t> groups;  ///< the primary group and the supplementary ones

    /// The uid against whose quota the asker's taps count.
    [[nodiscard]] uid_t account() const { return owner.value_or(uid); }
};

/// Whom a rule is about: its `user=` and `group=`. An asker matches when any of them matches.
struct Selectors {
    std::vector<std::string> users;   ///< names or numbers
    std::vector<std::string> groups;  ///< names or numbers

    /// Whether the rule is about everybody.
    [[nodiscard]] bool empty() const { return users.empty() && groups.empty(); }
    /// `as_owner`: whether a user= that names the asker's owner matches too.
    [[nodiscard]] bool match(const Asker& asker, bool as_owner, NameService& names) const;
};

/// The first 0 to 6 bytes of a MAC address.
class MacPrefix {
  public:
    /// Reads a prefix like "52:54:00"; nothing when `text` is not one.
    static std::optional<MacPrefix> parse(std::string_view text);

    /// The empty prefix, which every address has.
    MacPrefix() = default;

    [[nodiscard]] bool matches(const MacAddress& mac) const;
    [[nodiscard]] const std::string& str() const { return text_; }

  private:
    explicit MacPrefix(std::string text) : text_(std::move(text)) {}
    std::string text_;  ///< lower case, as MacAddress::str() writes it
};

/// How much an `allow` lets its user have. Nothing means no limit.
struct Limits {
    std::optional<unsigned> max_taps;  ///< per uid and bridge, at the same time
    std::optional<unsigned> queues;    ///< per tap
};

/// The port options of an `allow`.
struct PortOptions {
    bool isolated = false;              ///< no frames to or from other isolated ports
    bool guard = false;                 ///< BPDU guard, root block, and no BPDUs of PVST+
    std::optional<MacPrefix> mac_lock;  ///< only the assigned MAC, which must begin so, may send
    std::optional<std::uint16_t> vlan;  ///< an access port of this VLAN
    bool pin_bridge_mac = true;         ///< keep taps from changing the bridge's own MAC
};

/// One `allow` or `deny` line.
struct Rule {
    enum class Action { allow, deny };

    Action action = Action::deny;
    std::optional<InterfaceName> bridge;  ///< nothing: `all`
    Selectors who;
    Limits limits;
    PortOptions port;
    bool contain = false;  ///< the word `contain`
    bool plain = false;    ///< the word `plain`
    Place place;
    std::string text;  ///< the line as written, without blanks at either end

    [[nodiscard]] bool is_about(const InterfaceName& asked) const {
        return !bridge || *bridge == asked;
    }
    /// Whether its taps are contained, so that their holders cannot reach the port. They are when
    /// the rule has a limit, a port option (other than pinning, which is about the bridge) or the
    /// word `contain`; but never when it has the word `plain`. Other taps have a single queue.
    [[nodiscard]] bool contained() const;
    /// "/etc/qemu/bridge.conf:7: deny br0", for the end of an error line.
    [[nodiscard]] std::string str() const;
};

/// The answer to a request, and the rule that decided it.
struct Verdict {
    bool allowed = false;
    const Rule* rule = nullptr;  ///< owned by the Policy; null when no rule matches

    /// The rule, which must not be null, for the end of an error line about `asker`.
    [[nodiscard]] std::string str(const Asker& asker) const;
};

/// An included file that was left out, since it does not exist or the caller cannot read it.
struct SkippedInclude {
    Place place;       ///< the include line
    std::string file;  ///< what it names, made absolute
    int error;         ///< why: an errno
};

struct Policy {
    std::vector<Rule> rules;  ///< in reading order; an included file's stand in its place
    std::vector<SkippedInclude> skipped;

    /// A matching `deny` wins wherever it stands; otherwise the first matching `allow` decides;
    /// otherwise the request is denied. A rule about the asker's owner matches too, but if an
    /// `allow` matches only for that reason, the request is denied. Throws Failure when a name that
    /// matters cannot be looked up.
    [[nodiscard]] Verdict decide(const InterfaceName& bridge, const Asker& asker,
                                 NameService& names) const;
};

}  // namespace tapgate

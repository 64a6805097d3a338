// SPDX-License-Identifier: GPL-2.0-or-later
//
// The policy as data, and the decision as a pure function of it. How a policy is written and read
// is the business of policy_parser.h and policy_file.h.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// Where something stands in a policy file. Lines count from 1.
struct Place {
    std::string file;
    unsigned line = 0;

    /// "FILE:LINE", fit for a message.
    [[nodiscard]] std::string str() const;
};

/// What the ids behind the names are: asked only for a name that a decision depends on.
class NameService {
  public:
    NameService() = default;
    NameService(const NameService&) = delete;
    NameService& operator=(const NameService&) = delete;
    virtual ~NameService() = default;

    /// The id of a user or group; nothing when there is none of that name. Throws Failure when it
    /// cannot be found out: who cannot be identified is not granted anything.
    virtual std::optional<uid_t> user_id(const std::string& name) = 0;
    virtual std::optional<gid_t> group_id(const std::string& name) = 0;
};

/// Who asks, as far as a rule can care.
struct Asker {
    uid_t uid = 0;
    /// Whose subordinate uid (subuid(5)) that is, when it is one. Whoever has such uids can be
    /// them, so they take from what their owner has, and give nothing that the owner has.
    std::optional<uid_t> owner = std::nullopt;
    std::vector<gid_t> groups;  ///< the primary group and the supplementary ones

    /// Whose taps the asker's are, for a quota.
    [[nodiscard]] uid_t account() const { return owner.value_or(uid); }
};

/// Whom a rule is about: `user=` and `group=`. It matches when any of them does.
struct Selectors {
    std::vector<std::string> users;   ///< names or numbers
    std::vector<std::string> groups;  ///< names or numbers

    /// Whether the rule is about everybody.
    [[nodiscard]] bool empty() const { return users.empty() && groups.empty(); }
    /// `as_owner`: whether what is about the asker's owner is about the asker.
    [[nodiscard]] bool match(const Asker& asker, bool as_owner, NameService& names) const;
};

/// The first 0 to 6 bytes of a MAC address.
class MacPrefix {
  public:
    /// "52:54:00"; nothing when `text` is something else.
    static std::optional<MacPrefix> parse(std::string_view text);

    /// The prefix of every address.
    MacPrefix() = default;

    [[nodiscard]] bool matches(const MacAddress& mac) const;
    [[nodiscard]] const std::string& str() const { return text_; }

  private:
    explicit MacPrefix(std::string text) : text_(std::move(text)) {}
    std::string text_;  ///< lower case, as MacAddress::str() writes it
};

/// How much of something an `allow` lets its user have. Nothing means no limit.
struct Limits {
    std::optional<unsigned> max_taps;  ///< per uid and bridge, at a time
    std::optional<unsigned> queues;    ///< per tap
};

/// What an `allow` makes of the port.
struct PortOptions {
    bool isolated = false;              ///< no frames to and from other isolated ports
    bool guard = false;                 ///< BPDU guard and root block
    std::optional<MacPrefix> mac_lock;  ///< only the assigned MAC, which begins so, may send
    std::optional<std::uint16_t> vlan;  ///< access port of this VLAN
    bool pin_bridge_mac = true;         ///< keep a tap from becoming the bridge's own MAC
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
    std::string text;  ///< the line as it is written, blanks at both ends cut

    [[nodiscard]] bool is_about(const InterfaceName& asked) const {
        return !bridge || *bridge == asked;
    }
    /// Whether its taps are contained, that is, out of reach of whoever holds them: where anything
    /// is limited or hardened (pinning is about the bridge, not the port), or by the word
    /// `contain`. The word `plain` opts out, whatever else stands there. A tap that is not
    /// contained has one queue.
    [[nodiscard]] bool contained() const;
    /// "/etc/qemu/bridge.conf:7: deny br0", as it ends the line of a refusal.
    [[nodiscard]] std::string str() const;
};

/// The answer to a request, and the rule that decided it.
struct Verdict {
    bool allowed = false;
    const Rule* rule = nullptr;  ///< owned by the Policy; none when no rule matches

    /// The rule, which there is, as it ends the line of a refusal of `asker`.
    [[nodiscard]] std::string str(const Asker& asker) const;
};

/// An included file that was left out, since the caller cannot read it or it is not there.
struct SkippedInclude {
    Place place;       ///< the include line
    std::string file;  ///< what it names, made absolute
    int error;         ///< why: an errno
};

struct Policy {
    std::vector<Rule> rules;  ///< in the order of reading, includes in their place
    std::vector<SkippedInclude> skipped;

    /// A matching `deny` wins wherever it stands; otherwise the first matching `allow` decides;
    /// otherwise the request is denied. What is about the asker's owner matches; but an `allow`
    /// that is about the owner only does not allow. Throws Failure when a name that matters cannot
    /// be looked up.
    [[nodiscard]] Verdict decide(const InterfaceName& bridge, const Asker& asker,
                                 NameService& names) const;
};

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// Random bridge.conf trees, decided by the stock helper and by ours. Ours is never looser: what the
// stock helper refuses, ours refuses. It is stricter only for the reasons in `Reason`, each a
// difference that the design chooses.
//
// The trees are the same in each run, so that what fails is the change; TAPGATE_LONG=1 makes twenty
// times as many, others each time, and TAPGATE_SEED=N repeats one.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/system/testbed.h"

namespace tapgate {
namespace {

struct PolicyFile {
    std::string path;
    std::string text;
    mode_t mode = 0644;
    uid_t uid = 0;
    gid_t gid = 0;
};

using Tree = std::vector<PolicyFile>;  // the main file first; a missing one is simply not in it

// A name of the greatest length: one byte less is another name, and one more is none.
const std::string longest_name = "br-0123456789ab";
const std::vector<std::string> known_bridges = {"br0", "br1",  "br-lab", longest_name,
                                                "all", "nope", "b"};

// Makes trees in which grants, denials and errors are all common.
class Generator {
  public:
    explicit Generator(std::uint64_t seed) : random_(seed) {}

    Tree tree() {
        Tree tree;
        const unsigned count = one_in(12) ? 12 : below(5) + 1;
        const bool chain = count > 6;
        // Oddities are rare, or every tree would be refused for one.
        odd_lines_ = one_in(3);
        for (unsigned i = 0; i < count; ++i) {
            PolicyFile file;
            file.path = i == 0 ? policy_file : include_path(i);
            const unsigned lines = below(6);
            for (unsigned k = 0; k < lines; ++k)
                file.text += line(i, count) + end_of_line();
            if (chain && i + 1 < count)
                file.text += "include " + include_path(i + 1) + "\n";
            if (one_in(10) && !file.text.empty())
                file.text.pop_back();
            if (i > 0) {
                if (one_in(12)) {
                    continue;  // missing
                }
                dress(&file);
            }
            tree.push_back(file);
        }
        return tree;
    }

    bool one_in(unsigned n) { return below(n) == 0; }
    unsigned below(unsigned n) {
        return std::uniform_int_distribution<unsigned>(0, n - 1)(random_);
    }

  private:
    static std::string include_path(unsigned i) {
        return "/etc/qemu/" + std::to_string(i) + ".conf";
    }

    template <typename T>
    const T& pick(const std::vector<T>& from) {
        return from[below(static_cast<unsigned>(from.size()))];
    }

    void dress(PolicyFile* file) {
        switch (below(20)) {
            case 0:
                file->mode = 0600;  // root's alone
                break;
            case 1:
                file->mode = 0640;  // a group's, of which the caller may be
                file->gid = students_gid;
                break;
            case 2:
                file->mode = pick(std::vector<mode_t>{0666, 0664, 0646});
                break;
            case 3:
                file->uid = alice_account.uid;
                break;
            default:
                break;
        }
    }

    std::string end_of_line() {
        static const std::vector<std::string> plain = {
            "\n", "\n", "\n", "\n", "\n", "\r\n", " \n", "\t\n", "\f\n", "\n\n", " \r\n"};
        static const std::vector<std::string> odd = {"\v\n", " \t \n", "\r \n", "\r"};
        return odd_lines_ && one_in(8) ? pick(odd) : pick(plain);
    }

    std::string blanks() {
        static const std::vector<std::string> some = {"", "", "", "", " ", "\t", "  ", " \t"};
        return pick(some);
    }

    std::string separator() {
        static const std::vector<std::string> plain = {" ", " ", " ", "\t", "  ", "\t\t"};
        static const std::vector<std::string> odd = {" \t", "\t ", "\v",   "\f",       "\r",
                                                     "",    " \v", "\t\v", "\xc2\xa0", "\n"};
        return odd_lines_ && one_in(8) ? pick(odd) : pick(plain);
    }

    std::string name() {
        static const std::vector<std::string> common = {"br0", "br0",        "br1", "br-lab",
                                                        "all", longest_name, "b"};
        static const std::vector<std::string> odd = {longest_name + "c",
                                                     std::string(40, 'n'),
                                                     "BR0",
                                                     "ALL",
                                                     "br*",
                                                     "*",
                                                     "br",
                                                     "br00",
                                                     "a/b",
                                                     ".",
                                                     "..",
                                                     "br:0",
                                                     "br0,br1",
                                                     "\"br0\"",
                                                     "'br0'",
                                                     "br0;",
                                                     "#br0",
                                                     "br0#",
                                                     "br\xc3\xb6",
                                                     "br0\x01",
                                                     "all,",
                                                     "user=alice"};
        return odd_lines_ && one_in(6) ? pick(odd) : pick(common);
    }

    std::string line(unsigned file, unsigned files) {
        const unsigned kind = below(odd_lines_ ? 30 : 20);
        if (kind < 8)
            return blanks() + "allow" + separator() + name();
        if (kind < 11)
            return blanks() + "deny" + separator() + name();
        if (kind < 15) {
            // Only forward: the stock helper dies of a loop.
            if (file + 1 >= files)
                return "include /etc/qemu/nosuch.conf";
            const unsigned target = file + 1 + below(files - file - 1);
            // Relative to the including file for our helper, and to the caller's directory for the
            // stock one. Here these are the same.
            return blanks() + "include" + separator() +
                   (one_in(4) ? std::to_string(target) + ".conf" : include_path(target));
        }
        if (kind < 17)
            return blanks() + "#" + separator() + name();
        if (kind < 20)
            return blanks();
        return odd_line();
    }

    std::string odd_line() {
        switch (below(14)) {
            case 0:
                return "allow br0 # the lab";
            case 1:
                return "allow br0 br1";
            case 2:
                return "deny " + name() + " " + name();
            case 3:
                return pick(
                    std::vector<std::string>{"allow", "deny", "include", "allow ", "x", "="});
            case 4:
                return "permit" + separator() + name();
            case 5:
                return pick(std::vector<std::string>{"Allow br0", "ALLOW br0", "DENY br0",
                                                     "allowbr0", "allow:br0", "allow=br0"});
            case 6:
                return "#" + std::string(4000 + below(200), 'c') + "allow br0";
            case 7:
                return "allow br0" + std::string(4000 + below(200), ' ') + "deny br0";
            case 8:
                return std::string(4000 + below(200), ' ') + "deny " + name();
            case 9:
                return "allow br0" + std::string(1, '\0') + name();
            case 10:
                return std::string(1, '\0') + "deny br0";
            case 11:
                return "include /etc/qemu";
            case 12:
                return "include /dev/null";
            default: {
                std::string noise;
                for (unsigned i = below(30); i > 0; --i)
                    noise += static_cast<char>(below(256));
                return noise;
            }
        }
    }

    std::mt19937_64 random_;
    bool odd_lines_ = false;
};

// --- Why ours may refuse what the stock helper grants

enum class Reason {
    untrusted_file,    // not root's, or others can write it, or no regular file
    error_in_include,  // the stock helper goes on without the rest of that file
    too_deep,          // includes nested more than 8 deep
    long_line,         // the stock helper reads it as several
    unknown_word,      // more than a bridge on a rule's line, or a bridge that cannot be one
    nul_byte,          // the stock helper does not see what comes after it
    no_word,           // a command and a blank: the stock helper takes the empty name or file
    no_file_name,      // longer than any file's: to the stock helper one that is not there
};

const char* to_string(Reason reason) {
    switch (reason) {
        case Reason::untrusted_file:
            return "untrusted file";
        case Reason::error_in_include:
            return "error in an include";
        case Reason::too_deep:
            return "includes too deep";
        case Reason::long_line:
            return "long line";
        case Reason::unknown_word:
            return "unknown word";
        case Reason::nul_byte:
            return "NUL byte";
        case Reason::no_word:
            return "nothing after the command";
        case Reason::no_file_name:
            return "no file's name";
    }
    return "?";
}

// GLib's g_ascii_isspace(), which has no \v.
constexpr std::string_view blank_characters = " \t\r\n\f";

std::string_view trim(std::string_view s) {
    const std::size_t begin = s.find_first_not_of(blank_characters);
    if (begin == std::string_view::npos)
        return {};
    return s.substr(begin, s.find_last_not_of(blank_characters) - begin + 1);
}

bool names_a_bridge(std::string_view name) {
    return name != "." && name != ".." && std::none_of(name.begin(), name.end(), [](char c) {
               return c == '/' || c == ':' || static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
           });
}

// Of a path: between two slashes.
std::size_t longest_part(std::string_view path) {
    std::size_t longest = 0;
    for (std::size_t begin = 0; begin < path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        longest = std::max(longest, end - begin);
        begin = end + 1;
    }
    return longest;
}

class Reasons {
  public:
    Reasons(const Tree& tree, gid_t gid) : tree_(tree), gid_(gid) { visit(policy_file, 0); }
    const std::set<Reason>& all() const { return reasons_; }

  private:
    bool readable(const PolicyFile& file) const {
        if (file.uid == alice_account.uid)
            return (file.mode & 0400) != 0;
        if (file.gid == gid_)
            return (file.mode & 0040) != 0;
        return (file.mode & 0004) != 0;
    }

    void visit(const std::string& path, unsigned depth) {
        if (depth > 8) {
            reasons_.insert(Reason::too_deep);
            return;
        }
        const auto file = std::find_if(tree_.begin(), tree_.end(),
                                       [&](const PolicyFile& f) { return f.path == path; });
        if (file == tree_.end()) {
            // Outside of the tree: a directory, a device.
            if (path == "/etc/qemu" || path == "/dev/null")
                reasons_.insert(Reason::untrusted_file);
            if (path.size() >= PATH_MAX || longest_part(path) > NAME_MAX)
                reasons_.insert(Reason::no_file_name);
            return;
        }
        if (!readable(*file))
            return;
        if (file->uid != 0 || (file->mode & 022) != 0)
            reasons_.insert(Reason::untrusted_file);
        std::istringstream lines(file->text);
        for (std::string line; std::getline(lines, line);)
            look_at(line, depth);
    }

    void look_at(const std::string& line, unsigned depth) {
        if (line.size() > 4094) {
            reasons_.insert(Reason::long_line);
            return;
        }
        if (line.find('\0') != std::string::npos)
            reasons_.insert(Reason::nul_byte);
        const std::string_view text = trim(line);
        if (text.empty() || text[0] == '#')
            return;
        // The first space is the separator, even one behind the argument; the first tab is, if
        // there is no space.
        const std::string_view left =
            std::string_view(line).substr(line.find_first_not_of(blank_characters));
        const std::size_t space = left.find(' ');
        const std::size_t separator = space != std::string_view::npos ? space : left.find('\t');
        const std::string_view command = left.substr(0, separator);
        const std::string_view argument =
            separator == std::string_view::npos ? std::string_view() : trim(left.substr(separator));
        const bool known = command == "allow" || command == "deny" || command == "include";
        if (known && argument.empty())
            reasons_.insert(Reason::no_word);
        const bool wrong = !known || argument.empty();
        if (wrong && depth > 0) {
            reasons_.insert(Reason::error_in_include);
        } else if (!wrong && command == "include") {
            std::string target(argument);
            if (target[0] != '/')
                target.insert(0, "/etc/qemu/");
            visit(target, depth + 1);
        } else if (!wrong) {
            const bool several = argument.find_first_of(blank_characters) != std::string_view::npos;
            if (several || !names_a_bridge(argument))
                reasons_.insert(Reason::unknown_word);
            if (argument.size() > 15 && depth > 0)
                reasons_.insert(Reason::error_in_include);
        }
    }

    const Tree& tree_;
    gid_t gid_;
    std::set<Reason> reasons_;
};

// --- Running both

enum class Decision { grant, refuse };

std::string shown(std::string_view text) {
    std::ostringstream out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            out << "\\n\n    ";
        } else if (byte < ' ' || byte >= 0x7f || c == '\\') {
            static const char* digits = "0123456789abcdef";
            out << "\\x" << digits[byte >> 4U] << digits[byte & 15U];
        } else {
            out << c;
        }
    }
    return out.str();
}

std::string shown(const Tree& tree) {
    std::ostringstream out;
    for (const PolicyFile& file : tree) {
        out << file.path << " (mode " << std::oct << file.mode << std::dec << ", owner " << file.uid
            << ':' << file.gid << ")\n    " << shown(file.text.substr(0, 6000)) << '\n';
    }
    return out.str();
}

class Differential : public Testbed {
  protected:
    void prepare() override {
        TAPGATE_REQUIRE(install_stock(), "the stock helper");
        make_directory("/etc/qemu");
    }

    static void write_tree(const Tree& tree, const Tree& previous) {
        for (const PolicyFile& file : previous)
            unlink(file.path.c_str());
        for (const PolicyFile& file : tree)
            write_file(file.path, file.text, file.mode, file.uid, file.gid);
    }
};

HelperOptions from_policy_directory(const std::string& program, gid_t group) {
    HelperOptions options;
    options.program = program;
    options.groups = {group};
    options.before_exec = [] {
        if (chdir("/etc/qemu") != 0)
            _exit(125);
    };
    return options;
}

// Whether it got as far as to look for the bridge, which does not exist.
testing::AssertionResult decide(const HelperResult& run, Decision* decision) {
    if (run.exit_status != 1 || run.err.empty())
        return testing::AssertionFailure() << describe(run);
    *decision = run.err.find("failed to get mtu of bridge") != std::string::npos ||
                        run.err.find("failed to create tun device") != std::string::npos
                    ? Decision::grant
                    : Decision::refuse;
    return testing::AssertionSuccess();
}

#ifdef TAPGATE_SANITIZED
constexpr unsigned short_run_trees = 100;  // a start takes four times as long
#else
constexpr unsigned short_run_trees = 300;
#endif

std::uint64_t first_seed() {
    const char* given = std::getenv("TAPGATE_SEED");
    if (given != nullptr)
        return std::stoull(given);
    return long_run() ? std::random_device()() : 1;
}

// In shares, so that each processor has something to do.
class RandomPolicies : public Differential, public testing::WithParamInterface<unsigned> {
  public:
    static constexpr unsigned shares = 4;
};

INSTANTIATE_TEST_SUITE_P(Share, RandomPolicies, testing::Range(0U, RandomPolicies::shares));

TEST_P(RandomPolicies, NeverLooserAndStricterOnlyWhereTheDesignSaysSo) {
    const unsigned trees = (long_run() ? 6000 : short_run_trees) / shares;
    const std::uint64_t seed = first_seed() + std::uint64_t{GetParam()} * trees;
    std::cout << "TAPGATE_SEED=" << seed << '\n';
    RecordProperty("seed", std::to_string(seed));

    // Without privilege the stock helper decides the same, and then fails to make a tap: that saves
    // the making. The sample below has both with privilege, and a bridge to be granted.
    ASSERT_EQ(chmod(stock_path().c_str(), 0755), 0);
    unsigned decisions = 0;
    unsigned grants = 0;
    unsigned stricter = 0;
    std::map<std::string, unsigned> excused;
    Tree previous;
    // Each tree has seven decisions. About one in eight is a grant, and grants come in heaps, so go
    // on until there are enough to prove something.
    const unsigned enough = trees / 3;
    const auto too_few = [&] { return grants < enough || decisions - grants - stricter < enough; };
    for (unsigned n = 0; n < trees || (n < 10 * trees && too_few()); ++n) {
        Generator generator(seed + n);
        const Tree tree = generator.tree();
        const gid_t group = generator.one_in(2) ? students_gid : bob_account.gid;
        write_tree(tree, previous);
        previous = tree;
        const Reasons reasons(tree, group);
        for (const std::string& bridge : known_bridges) {
            const std::vector<std::string> args = {"--fd=27", "--br=" + bridge};
            const HelperResult stock = run_helper(args, from_policy_directory(stock_path(), group));
            const HelperResult ours = run_helper(args, from_policy_directory({}, group));
            Decision theirs = Decision::refuse;
            Decision mine = Decision::refuse;
            const std::string where = "TAPGATE_SEED=" + std::to_string(seed + n) + ", bridge " +
                                      bridge + "\n" + shown(tree) + "stock: " + stock.err +
                                      "ours:  " + ours.err;
            // A stock helper that crashes has decided nothing.
            if (stock.signal != 0)
                continue;
            ASSERT_TRUE(decide(stock, &theirs)) << where;
            ASSERT_TRUE(decide(ours, &mine)) << where;
            ++decisions;
            if (theirs == Decision::refuse) {
                EXPECT_EQ(mine, Decision::refuse) << "LOOSER than the stock helper\n" << where;
            } else if (mine == Decision::grant) {
                ++grants;
            } else {
                ++stricter;
                EXPECT_FALSE(reasons.all().empty())
                    << "stricter than the stock helper for no known reason\n"
                    << where;
                for (const Reason reason : reasons.all())
                    ++excused[to_string(reason)];
            }
            if (HasFailure() && !long_run())
                return;
        }
    }
    std::cout << decisions << " decisions: " << grants << " granted by both, " << stricter
              << " by the stock helper only";
    for (const auto& [reason, count] : excused)
        std::cout << "; " << reason << ' ' << count;
    std::cout << '\n';
    EXPECT_FALSE(too_few()) << "the test proves nothing";
}

TEST_F(Differential, GrantsForRealWhatTheStockHelperGrants) {
    const std::uint64_t seed = first_seed();
    std::cout << "TAPGATE_SEED=" << seed << '\n';
    // "all" cannot be a bridge: the kernel keeps that name for /proc/sys/net.
    std::vector<std::string> bridges = known_bridges;
    std::erase(bridges, "all");
    for (const std::string& bridge : bridges)
        add_bridge(bridge);
    Tree previous;
    const unsigned trees = long_run() ? 500 : 25;
    for (unsigned n = 0; n < trees; ++n) {
        Generator generator(seed + n);
        const Tree tree = generator.tree();
        write_tree(tree, previous);
        previous = tree;
        const Reasons reasons(tree, students_gid);
        for (const std::string& bridge : bridges) {
            const std::vector<std::string> args = {"--fd=27", "--br=" + bridge};
            const HelperResult stock =
                run_helper(args, from_policy_directory(stock_path(), students_gid));
            const HelperResult ours = run_helper(args, from_policy_directory({}, students_gid));
            const std::string where = "TAPGATE_SEED=" + std::to_string(seed + n) + ", bridge " +
                                      bridge + "\n" + shown(tree) + "stock: " + describe(stock) +
                                      "\nours:  " + describe(ours);
            if (stock.signal != 0)
                continue;
            if (stock.exit_status == 0 && ours.exit_status == 0) {
                EXPECT_TRUE(granted(ours)) << where;
                EXPECT_EQ(ports(bridge).size(), 2U) << where;
            } else {
                EXPECT_EQ(ours.exit_status, 1) << where;
                EXPECT_THAT(ours.fds, testing::IsEmpty()) << where;
                EXPECT_TRUE(stock.exit_status != 0 || !reasons.all().empty()) << where;
            }
            ASSERT_FALSE(HasFailure());
        }
    }
    EXPECT_TRUE(no_taps_left());
}

}  // namespace
}  // namespace tapgate

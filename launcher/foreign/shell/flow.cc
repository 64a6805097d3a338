// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/flow.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "launcher/base/error.h"

namespace tapgate {

namespace {

using Tests = std::vector<std::pair<std::string, Truth>>;

// Notes each test once, however often a loop evaluates it, and at most this many.
void add_test(Tests& tests, const std::string& text, Truth truth) {
    constexpr size_t most = 100;
    const std::pair<std::string, Truth> test{text, truth};
    if (!text.empty() && tests.size() < most &&
        std::find(tests.begin(), tests.end(), test) == tests.end())
        tests.push_back(test);
}

}  // namespace

Truth ShellFlow::reach() const {
    Truth reach = gone_ ? Truth::no : gate_;
    for (const Block& block : blocks_)
        reach = std::min(reach, block.reach());
    return reach;
}

bool ShellFlow::soft() const {
    return gate_soft_ ||
           std::any_of(blocks_.begin(), blocks_.end(), [](const Block& one) { return one.soft; });
}

bool ShellFlow::by_files() const {
    return gate_files_ ||
           std::any_of(blocks_.begin(), blocks_.end(), [](const Block& one) { return one.files; });
}

// The status of a list such as `a && b || c' is that of the last command that was run.
void ShellFlow::ended(const ShellStatus& status) {
    if (gate_ == Truth::no)
        return;
    if (gate_ == Truth::yes || status.truth == status_.truth) {
        const ShellStatus before = status_;
        status_ = status;
        status_.soft = status.soft || (gate_soft_ && before.soft);
        status_.files = status.files || (gate_files_ && before.files);
    } else {
        status_ = {Truth::unknown, true, false, status.text};
    }
}

void ShellFlow::pass_gate(Truth gate) {
    gate_ = gate;
    gate_soft_ = gate_soft_ || status_.soft;
    gate_files_ = gate_files_ || status_.files;
    add_test(gate_tests_, status_.text, status_.truth);
    behind_or_ = false;
    element_ = {};
    forgive();
}

void ShellFlow::and_then() {
    pass_gate(status_.truth);
}

void ShellFlow::or_else() {
    pass_gate(negated(status_.truth));
    behind_or_ = true;
}

void ShellFlow::next_list() {
    behind_or_ = false;
    element_ = {};
    gate_ = Truth::yes;
    gate_soft_ = gate_files_ = false;
    gate_tests_.clear();
}

void ShellFlow::open(Kind kind, bool inverted) {
    constexpr size_t deepest = 1000;
    if (blocks_.size() == deepest)
        throw LauncherError("the script's brackets are nested too deep");
    Block block;
    block.kind = kind;
    block.inverted = inverted;
    block.asks = kind == Kind::condition;
    block.gate = gate_;
    block.gate_status = status_;
    block.element = element_;
    block.soft = gate_soft_;
    block.files = gate_files_;
    block.tests = gate_tests_;
    blocks_.push_back(std::move(block));
    next_list();
}

void ShellFlow::decide(Block& block, Truth truth, const ShellStatus& status) {
    block.current = truth;
    block.soft = block.soft || status.soft;
    block.files = block.files || status.files;
    // The last test decides whether the loop's condition is evaluated again.
    block.asked = !status.text.empty();
    add_test(block.tests, status.text, status.truth);
}

void ShellFlow::then() {
    if (is_in(Kind::condition))
        decide(blocks_.back(), std::min(negated(top().past), status_.truth), status_);
    stop_asking();
    next_list();
}

void ShellFlow::otherwise_if() {
    if (!is_in(Kind::condition))
        return;
    Block& block = blocks_.back();
    block.past = std::max(block.past, block.current);
    block.current = negated(block.past);
    block.asks = true;
    next_list();
}

void ShellFlow::otherwise() {
    otherwise_if();
    stop_asking();
}

void ShellFlow::stop_asking() {
    if (!blocks_.empty())
        blocks_.back().asks = false;
}

bool ShellFlow::asks() const {
    return std::any_of(blocks_.begin(), blocks_.end(), [](const Block& one) { return one.asks; });
}

void ShellFlow::open_loop(ShellLoop loop, const ShellStatus& status) {
    open(Kind::loop);
    blocks_.back().asks = loop.tested;
    blocks_.back().loop = std::move(loop);
    status_ = status;
}

void ShellFlow::enter_loop() {
    if (is_in(Kind::loop)) {
        blocks_.back().entered = true;
        const bool until = top().loop.inverted;
        decide(blocks_.back(), until ? negated(status_.truth) : status_.truth, status_);
    }
    stop_asking();
    next_list();
}

void ShellFlow::begin_round() {
    if (!is_in(Kind::loop))
        return;
    Block& block = blocks_.back();
    block.again = true;
    block.entered = false;
    block.asks = block.loop.tested;
    block.current = Truth::yes;
    status_ = {Truth::yes, block.soft, block.files, {}};
}

void ShellFlow::open_choice(const std::string& text, bool known, bool soft) {
    open(Kind::choice);
    Block& block = blocks_.back();
    block.text = text;
    block.known = known;
    block.soft = block.soft || soft;
    block.awaits_pattern = true;
    block.current = Truth::no;
}

bool ShellFlow::awaits_pattern() const {
    return is_in(Kind::choice) && top().awaits_pattern;
}

void ShellFlow::begin_branch(Truth matches, const std::string& pattern) {
    Block& block = blocks_.back();
    const Truth truth = block.known ? matches : Truth::unknown;
    block.current = std::max(std::min(negated(block.past), truth), block.falls);
    block.falls = Truth::no;
    block.past_before = block.past;
    if (block.current != Truth::no)
        add_test(block.tests, "case " + block.text + " in " + pattern + ")", block.current);
    block.past = std::max(block.past, truth);
    block.awaits_pattern = false;
    next_list();
}

void ShellFlow::end_branch(bool falls, bool asks) {
    if (is_in(Kind::choice)) {
        Block& block = blocks_.back();
        block.awaits_pattern = true;
        if (falls)
            block.falls = block.current;
        if (asks)
            block.past = block.past_before;
        block.current = Truth::no;
    }
    next_list();
}

void ShellFlow::close(Kind kind) {
    if (!is_in(kind))
        return;
    const Block block = std::move(blocks_.back());
    blocks_.pop_back();
    const bool group = kind == Kind::group || kind == Kind::subshell;
    ShellStatus inner = status_;
    if (block.inverted) {
        inner.truth = negated(inner.truth);
        inner.text.insert(0, inner.text.empty() ? "" : "! ");
    }
    inner.inverted = block.inverted;
    if (block.inverted)
        forgive();
    element_ = block.element;
    gate_ = block.gate;
    gate_soft_ = gate_files_ = false;
    gate_tests_.clear();
    status_ = block.gate_status;
    ended(group ? inner : ShellStatus{Truth::unknown, false, false, {}});
}

void ShellFlow::leave_loops(size_t count, bool goes_on) {
    const Truth leaves = reach();
    for (size_t i = blocks_.size(); i > 0 && count > 0; i--) {
        Block& block = blocks_[i - 1];
        // Leaving a subshell only ends that one.
        const bool subshell = block.kind == Kind::subshell;
        if (!subshell && block.kind != Kind::loop)
            continue;
        count = subshell ? 0 : count - 1;
        leavings_.push_back({i - 1, block.left, block.skipped});
        Truth& ends = goes_on && !subshell && count == 0 ? block.skipped : block.left;
        ends = std::max(ends, leaves);
    }
}

void ShellFlow::leave() {
    leavings_.push_back({});
    gone_ = true;
}

void ShellFlow::undo_leavings(size_t mark) {
    for (; leavings_.size() > mark; leavings_.pop_back()) {
        const Leaving& last = leavings_.back();
        if (!last.block) {
            gone_ = false;
        } else if (*last.block < blocks_.size()) {
            blocks_[*last.block].left = last.left;
            blocks_[*last.block].skipped = last.skipped;
        }
    }
}

// Only the last command of `a && b || c' counts, and none after `!'.
bool ShellFlow::has_failed() const {
    return element_.begun && gate_ == Truth::yes && reach() == Truth::yes &&
           status_.truth == Truth::no && !status_.soft && !soft() && !status_.inverted && !asks();
}

// The innermost subshell, as the number of blocks around it.
std::optional<size_t> ShellFlow::subshell() const {
    const auto found = std::find_if(blocks_.rbegin(), blocks_.rend(),
                                    [](const Block& one) { return one.kind == Kind::subshell; });
    if (found == blocks_.rend())
        return std::nullopt;
    return static_cast<size_t>(blocks_.rend() - found) - 1;
}

void ShellFlow::fail(ShellFailure failure) {
    if (failure_ || asks())
        return;
    failure.subshell = subshell();
    failure_ = failure;
}

std::optional<ShellFailure> ShellFlow::failed_subshell() {
    if (!failure_ || !failure_->subshell || *failure_->subshell < blocks_.size())
        return std::nullopt;
    status_ = ShellStatus();
    status_.truth = Truth::no;
    return std::exchange(failure_, std::nullopt);
}

void ShellFlow::settle_failure() {
    if (failure_)
        failure_->depth = std::min(failure_->depth, blocks_.size());
}

void ShellFlow::forgive() {
    if (failure_ && failure_->depth > blocks_.size())
        failure_.reset();
}

bool ShellFlow::leave_subshell() {
    const auto place = subshell();
    if (!place)
        return false;
    Block& block = blocks_[*place];
    leavings_.push_back({place, block.left, block.skipped});
    block.left = Truth::yes;
    return true;
}

void ShellFlow::end_round() {
    if (is_in(Kind::loop))
        blocks_.back().skipped = Truth::no;
}

bool ShellFlow::is_over() const {
    return std::any_of(blocks_.begin(), blocks_.end(),
                       [](const Block& one) { return one.again && one.current == Truth::no; });
}

// Not for a loop that runs while a file exists, since the number of its rounds is unknown.
bool ShellFlow::asks_again(bool shifted) const {
    return is_in(Kind::loop) && top().loop.tested && !top().files && top().left == Truth::no &&
           top().current == Truth::yes && (top().asked || shifted);
}

bool ShellFlow::is_uncounted() const {
    return is_in(Kind::loop) &&
           (top().left == Truth::unknown ||
            (top().loop.tested && top().current == Truth::yes && top().left == Truth::no));
}

void ShellFlow::start_with(Truth reach, bool soft) {
    if (reach == Truth::yes && !soft)
        return;
    open(Kind::group);
    blocks_.back().current = reach;
    blocks_.back().soft = soft;
}

std::vector<std::pair<std::string, Truth>> ShellFlow::tests() const {
    std::vector<std::pair<std::string, Truth>> all;
    const auto add = [&](const std::vector<std::pair<std::string, Truth>>& some) {
        std::copy_if(some.begin(), some.end(), std::back_inserter(all), [](const auto& one) {
            return !one.first.empty() && one.second != Truth::unknown;
        });
    };
    // Tests that are not reached decide nothing.
    for (const Block& block : blocks_) {
        add(block.tests);
        if (block.reach() == Truth::no)
            return all;
    }
    add(gate_tests_);
    return all;
}

}  // namespace tapgate

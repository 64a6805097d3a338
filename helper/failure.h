// SPDX-License-Identifier: GPL-2.0-or-later
//
// How the helper fails: an exception with the whole text of the error, thrown where the place is
// known and caught once, in main(). A refusal by the policy is not a failure but a Verdict.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>

#include "common/words.h"  // whoever fails has words to show

namespace tapgate {

/// what() is the text for stderr, without the final newline. It begins with the stock helper's
/// wording wherever that has one, since people and tools search for it, and goes on to say why.
class Failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The text of an errno, in English wherever the caller lives: error lines are searched for.
std::string error_text(int error_number);

/// Throws a Failure that reads "WHAT: the text of ERROR_NUMBER".
[[noreturn]] void fail_with_errno(const std::string& what, int error_number = errno);

/// Throws the Failure that the policy is the reason of: "access denied by acl file: WHY", where WHY
/// begins with the place and the rule.
[[noreturn]] void deny(const std::string& why);

}  // namespace tapgate

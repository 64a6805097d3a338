// SPDX-License-Identifier: GPL-2.0-or-later
//
// How the helper fails: by an exception that carries the complete text of the error. It is thrown
// where the place is known and caught once, in main(). A refusal by the policy is not a failure but
// a Verdict.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>

#include "common/words.h"  // printable(), for the words that an error quotes

namespace tapgate {

/// what() is the text for stderr, without the final newline. It begins with the stock helper's
/// wording wherever there is one, since people and tools search for it, and then says why.
class Failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The text of an errno, in English whatever the caller's locale: people search for error lines.
std::string error_text(int error_number);

/// Throws a Failure that reads "WHAT: TEXT OF ERROR_NUMBER".
[[noreturn]] void fail_with_errno(const std::string& what, int error_number = errno);

/// Throws the Failure for a refusal by the policy: "access denied by acl file: WHY". WHY begins
/// with the place and the rule.
[[noreturn]] void deny(const std::string& why);

}  // namespace tapgate

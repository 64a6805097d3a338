// SPDX-License-Identifier: GPL-2.0-or-later
//
// Scripts as mail programs save them.
#pragma once

#include <string>
#include <string_view>

namespace tapgate {

/// The text of a mail that is quoted-printable (`if=3Dvirtio', lines broken with a `=' at their
/// end) as it was written, without the mail's header; any other text as it is.
std::string without_mail_encoding(std::string_view text);

}  // namespace tapgate

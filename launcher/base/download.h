// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files from elsewhere, by libcurl. That is loaded when it is needed and not before: it brings some
// thirty libraries along, which would double the time that each tapgate takes to start.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "launcher/base/error.h"
#include "launcher/base/stop_signals.h"

namespace tapgate {

/// What to get, and how much of it is here already.
struct DownloadRequest {
    std::string url;  ///< http:, https: or file:
    /// How many bytes are here, of what had this `tag`; the rest is asked for.
    std::uint64_t from = 0;
    std::string tag;
    std::string known_tag;  ///< a whole one of this tag is here: nothing is to come then
};

/// What came.
struct DownloadAnswer {
    bool unchanged = false;  ///< what is here has the tag still
    std::string tag;         ///< by which the server knows the content; empty: by none
};

/// What is known before the first byte.
struct DownloadBeginning {
    std::uint64_t offset = 0;  ///< where it belongs
    std::uint64_t total = 0;   ///< how many there are in the end; 0: not known
    std::string tag;           ///< as in DownloadAnswer
};

/// Who takes the bytes. Either may throw, which ends the download.
struct DownloadTaker {
    std::function<void(const DownloadBeginning& beginning)> begin;
    std::function<void(std::string_view bytes)> take;
};

/// The server, or a file, has nothing of this name.
class NotThere : public LauncherError {
  public:
    using LauncherError::LauncherError;
};

/// Gets it. A redirection leads to http or https, and from https to https only. A connection that
/// stands still for a minute has failed. Throws a LauncherError that names the URL, a NotThere, or
/// when a signal came.
DownloadAnswer download(const DownloadRequest& request, const DownloadTaker& taker,
                        const HeldSignals& signals);

/// The text at the URL, of `most` bytes at the most. Throws as download() does.
std::string download_text(const std::string& url, size_t most, const HeldSignals& signals);

/// Whether the word is an URL that download() takes.
bool is_url(std::string_view word);

}  // namespace tapgate

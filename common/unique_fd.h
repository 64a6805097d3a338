// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <unistd.h>

#include <utility>

namespace tapgate {

/// The one owner of a file descriptor: closes it when it goes out of scope.
class UniqueFd {
  public:
    UniqueFd() = default;
    /// Takes ownership of `fd`; -1 means none.
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        reset(other.release());
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    /// The descriptor, still owned here; -1 when there is none.
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

    /// Gives the descriptor up to the caller, who must close it.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }

    /// Closes what is owned and owns `fd` from now on.
    void reset(int fd = -1) {
        // close() frees the number even when it fails, so there is nothing to do about an error.
        if (const int old = std::exchange(fd_, fd); old >= 0)
            ::close(old);
    }

  private:
    int fd_ = -1;
};

}  // namespace tapgate

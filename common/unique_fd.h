// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <unistd.h>

#include <utility>

namespace tapgate {

/// The sole owner of a file descriptor, which it closes when it goes out of scope.
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

    /// Gives up ownership: the caller must close the descriptor.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }

    /// Closes the descriptor owned so far, and takes ownership of `fd`.
    void reset(int fd = -1) {
        // close() frees the number even when it fails, so an error needs no handling.
        if (const int old = std::exchange(fd_, fd); old >= 0)
            ::close(old);
    }

  private:
    int fd_ = -1;
};

}  // namespace tapgate

// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that make, keep and change images.
#ifndef TAPGATE_LAUNCHER_IMAGE_VERBS_H
#define TAPGATE_LAUNCHER_IMAGE_VERBS_H

namespace tapgate {

struct CommandLine;

int clone_vm(const CommandLine& command);
int keep_snapshots(const CommandLine& command);
int seed_vm(const CommandLine& command);
int resize_disk(const CommandLine& command);

}  // namespace tapgate

#endif

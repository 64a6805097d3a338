// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/lab/member_jobs.h"

#include <algorithm>
#include <thread>

namespace tapgate {

std::vector<std::string> names_of(const std::vector<LabMember>& members) {
    std::vector<std::string> names;
    names.reserve(members.size());
    for (const LabMember& member : members)
        names.push_back(member.name.str());
    return names;
}

std::vector<ProgressTable::Row> rows_of(const std::vector<LabMember>& members) {
    std::vector<ProgressTable::Row> rows;
    rows.reserve(members.size());
    for (const LabMember& member : members)
        rows.push_back({.name = member.name.str(),
                        .text = member.state_text(),
                        .state = ProgressTable::State::waiting});
    return rows;
}

std::string first_reason(const JobsResult& result, const std::vector<VmJob>& jobs,
                         const std::vector<std::string>& names) {
    const size_t first = result.failed.front();
    const std::string begin = names.at(jobs[first].row) + ": ";
    const std::string& reason = result.jobs[first].notes.back();
    return reason.starts_with(begin) ? reason : begin + reason;
}

unsigned default_parallel() {
    return std::max(2U, std::thread::hardware_concurrency());
}

}  // namespace tapgate

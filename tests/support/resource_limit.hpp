// A limit of this process, as it was again when the test is over.
#pragma once

#include <sys/resource.h>

namespace pawl {

class ResourceLimit {
 public:
  using Resource = decltype(RLIMIT_NOFILE);

  /// Given: `resource`, such as RLIMIT_NOFILE.
  ResourceLimit(Resource resource, rlim_t limit) : resource_(resource) {
    ::getrlimit(resource_, &before_);
    const rlimit lowered{limit, before_.rlim_max};
    ::setrlimit(resource_, &lowered);
  }

  ~ResourceLimit() { lift(); }

  ResourceLimit(const ResourceLimit&) = delete;
  ResourceLimit& operator=(const ResourceLimit&) = delete;

  void lift() { ::setrlimit(resource_, &before_); }

 private:
  Resource resource_;
  rlimit before_{};
};

}  // namespace pawl

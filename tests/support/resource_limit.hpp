// A limit of this process, as it was again when the test is over.
#pragma once

#include <sys/resource.h>

namespace pawl {

/// Whether a sanitizer watches. It looks at memory through pipes, and takes a process without
/// descriptors for one with wild pointers.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif
#elif defined(__SANITIZE_ADDRESS__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

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

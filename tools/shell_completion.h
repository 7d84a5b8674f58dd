// ShellCompletion: scripts that complete `reheap` in a shell, made of the verbs' own descriptions.
//
// Verbs, options and file names are in the script; names of strategies and platforms are asked of the
// installed command, so that a newer catalogue needs no newer script. Elements of comma lists are completed
// one by one.
//
// Pure functions. Threads: any.
#ifndef REHEAP_TOOLS_SHELL_COMPLETION_H_
#define REHEAP_TOOLS_SHELL_COMPLETION_H_

#include <string>
#include <vector>

#include "tools/verb_description.h"

namespace reheap {

// For `source`; needs nothing beyond bash itself.
std::string BashCompletion(const std::vector<VerbDescription>& verbs);

// For a file _reheap in a folder of $fpath.
std::string ZshCompletion(const std::vector<VerbDescription>& verbs);

}  // namespace reheap

#endif  // REHEAP_TOOLS_SHELL_COMPLETION_H_

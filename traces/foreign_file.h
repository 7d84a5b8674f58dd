// DescribeForeignFile: what a file that is no trace seems to be, in words for a message.
//
// People hand over the compressed trace, the text it was imported from, or the program itself; naming what
// was found saves them the search. Pure function; any thread.
#ifndef REHEAP_TRACES_FOREIGN_FILE_H_
#define REHEAP_TRACES_FOREIGN_FILE_H_

#include <string>
#include <string_view>

namespace reheap {

// `start`: the file's first bytes, as many as there are up to 512.
std::string DescribeForeignFile(std::string_view start);

}  // namespace reheap

#endif  // REHEAP_TRACES_FOREIGN_FILE_H_

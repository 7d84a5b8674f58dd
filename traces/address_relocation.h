// AddressRelocation: addresses that say where things lie to each other, and not where they lay.
//
// `reheap trace anonymize` moves every address by it. Ranges in use that are less than 4 GiB apart make a
// cluster (a program and its heap; the area of mmap), and a cluster moves as one, by a multiple of 2 MiB.
// Kept are therefore: the order of all addresses; distances within a cluster; page offsets and alignments up
// to 2 MiB, which is what huge pages need; which TiB a cluster lies in (0x55 or 0x7f: what kind of area it
// is). Gone are bits 21 to 39 of where it began, most of what address-space randomisation (ASLR) drew.
//
//   before              | . . [cluster] . . . . [cluster] . |  one TiB
//   after, below 2^46   |[cluster] [cluster] . . . . . . . .|  pushed down to its beginning, 4 GiB apart
//   after, from it on   |. . . . . . . . [cluster] [cluster]|  pushed up to its end
//
// A cluster below 4 MiB stays: the first addresses are the kernel's to refuse.
//
// Values only. Threads: one at a time. Limits: 65,536 clusters.
#ifndef REHEAP_TRACES_ADDRESS_RELOCATION_H_
#define REHEAP_TRACES_ADDRESS_RELOCATION_H_

#include <cstdint>
#include <map>

namespace reheap {

class AddressRelocation {
 public:
  // A range in use, before Settle(). Of 0 bytes: an address. Ignored when it does not end below 2^63: such an
  // address is no process's. False: too many clusters.
  bool Add(uint64_t start, uint64_t bytes);
  // Where everything goes.
  void Settle();

  // After Settle(), of an address in a range, or its end. 0 of any other.
  uint64_t At(uint64_t address) const;

 private:
  struct Cluster {
    uint64_t end = 0;
    uint64_t move = 0;  // modulo 2^64
  };
  using Clusters = std::map<uint64_t, Cluster>;  // by start

  void PushDown(Clusters::iterator end);
  void PushUp(Clusters::iterator begin);

  Clusters clusters_;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_ADDRESS_RELOCATION_H_

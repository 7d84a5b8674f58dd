"""The libraries that Debian provides, as Bazel targets: @system//:protobuf, @system//:gtest, ...

/usr/include is on the compiler's path already, so a target is its link flags. Each library is looked
for when the repository is made; a missing one is named with the apt-get line that installs it.
"""

_ABSL_LIBS = [
    "absl_statusor",
    "absl_status",
    "absl_strerror",
    "absl_str_format_internal",
    "absl_hash",
    "absl_city",
    "absl_bad_variant_access",
    "absl_low_level_hash",
    "absl_raw_hash_set",
    "absl_hashtablez_sampler",
    "absl_cord",
    "absl_cordz_info",
    "absl_cord_internal",
    "absl_cordz_functions",
    "absl_exponential_biased",
    "absl_cordz_handle",
    "absl_synchronization",
    "absl_graphcycles_internal",
    "absl_stacktrace",
    "absl_symbolize",
    "absl_debugging_internal",
    "absl_demangle_internal",
    "absl_malloc_internal",
    "absl_bad_optional_access",
    "absl_time",
    "absl_civil_time",
    "absl_strings",
    "absl_strings_internal",
    "absl_base",
    "absl_spinlock_wait",
    "absl_int128",
    "absl_throw_delegate",
    "absl_raw_logging_internal",
    "absl_log_severity",
    "absl_time_zone",
]

# name -> (a file whose presence proves the package, the package, link flags)
_LIBRARIES = {
    "protobuf": ("/usr/include/google/protobuf/message.h", "libprotobuf-dev", ["-lprotobuf"]),
    "program_options": ("/usr/include/boost/program_options.hpp", "libboost-program-options-dev", ["-lboost_program_options"]),
    "absl": ("/usr/include/absl/status/statusor.h", "libabsl-dev", ["-l" + lib for lib in _ABSL_LIBS]),
    "xxhash": ("/usr/include/xxhash.h", "libxxhash-dev", ["-lxxhash"]),
    "yaml_cpp": ("/usr/include/yaml-cpp/yaml.h", "libyaml-cpp-dev", ["-lyaml-cpp"]),
    "zstd": ("/usr/include/zstd.h", "libzstd-dev", ["-lzstd"]),
    "png": ("/usr/include/png.h", "libpng-dev", ["-lpng"]),
    "gtest": ("/usr/include/gtest/gtest.h", "libgtest-dev", ["-lgtest"]),
    "gtest_main": ("/usr/include/gtest/gtest.h", "libgtest-dev", ["-lgtest_main", "-lgtest"]),
    "gmock": ("/usr/include/gmock/gmock.h", "libgmock-dev", ["-lgmock", "-lgtest"]),
    "benchmark": ("/usr/include/benchmark/benchmark.h", "libbenchmark-dev", ["-lbenchmark"]),
    "benchmark_main": ("/usr/include/benchmark/benchmark.h", "libbenchmark-dev", ["-lbenchmark_main", "-lbenchmark"]),
}

# Files that go into what we build, under the name of their folder: @system//:dygraphs/dygraph.min.js.
# folder -> (where it lies, the package, files)
_FILES = {
    "dygraphs": ("/usr/share/javascript/dygraphs", "libjs-dygraphs", ["dygraph.min.css", "dygraph.min.js"]),
}

def _system_libraries_impl(ctx):
    missing = []
    for folder in _FILES:
        path, package, files = _FILES[folder]
        if not ctx.path(path + "/" + files[0]).exists:
            missing.append(package)
    for name in _LIBRARIES:
        header, package, _ = _LIBRARIES[name]
        if not ctx.path(header).exists and package not in missing:
            missing.append(package)
    protoc = ctx.which("protoc")
    if not protoc:
        missing.append("protobuf-compiler")
    if missing:
        fail("reheap needs packages that are not installed. Run:\n  sudo apt-get install -y " +
             " ".join(missing))
    ctx.symlink(protoc, "bin/protoc")
    ctx.symlink("/usr/include/google/protobuf/descriptor.proto", "google/protobuf/descriptor.proto")

    for folder in _FILES:
        path, _, files = _FILES[folder]
        for name in files:
            ctx.symlink(path + "/" + name, folder + "/" + name)

    build = ["package(default_visibility = [\"//visibility:public\"])", "exports_files([\"bin/protoc\"])"]
    for name in _LIBRARIES:
        build.append("cc_library(name = %r, linkopts = %r)" % (name, _LIBRARIES[name][2] + ["-lpthread"]))
    for folder in _FILES:
        build.append("exports_files(%r)" % [folder + "/" + name for name in _FILES[folder][2]])
    # What schemas may import besides each other. libprotobuf has its C++ already.
    build.append("""
proto_library(
    name = "descriptor_proto",
    srcs = ["google/protobuf/descriptor.proto"],
)
proto_lang_toolchain(
    name = "cc_toolchain",
    blacklisted_protos = [":descriptor_proto"],
    command_line = "--cpp_out=$(OUT)",
    runtime = ":protobuf",
)
""")
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD.bazel", "\n".join(build))

system_libraries = repository_rule(
    implementation = _system_libraries_impl,
    local = True,
)

# curlew: builds the module, runs its specs, checks, measures. make help.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
SHELL := /bin/sh
# Where nginx is, on the PATH of root alone on some systems.
export PATH := $(PATH):/usr/sbin

# ---- what is built with what -----------------------------------------------
# BUILD holds objects, CORE is the module; the sanitized build has its own.
BUILD ?= build
CORE ?= curlew/core.so
LUA ?= lua5.4
export LUA
PKG_CONFIG ?= pkg-config
OPTIMIZE ?= -O2 -g
SANITIZE ?=
WERROR ?=

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
  -Wstrict-prototypes -Wmissing-prototypes -Wvla
# The version of Lua, 5.4 for example; nothing if there is no $(LUA).
lua_version = $(eval lua_version := $$(shell \
  $$(LUA) -e 'print((_VERSION:match "%d.%d"))' 2>/dev/null))$(lua_version)
# LuaRocks passes the directory of Lua's headers.
ifdef LUA_INCDIR
lua_cflags := -I$(LUA_INCDIR)
else
lua_cflags = $(eval lua_cflags := $$(shell CC="$$(CC)" \
  PKG_CONFIG="$$(PKG_CONFIG)" script/lua-cflags $$(lua_version)))$(lua_cflags)
# Why $(LUA) cannot be used; nothing if it can.
lua_problem = $(if $(lua_version),$(if $(filter 5.4 5.5,$(lua_version)),, \
  $(LUA) is Lua $(lua_version)),there is no $(LUA))
endif
curl_cflags = $(shell $(PKG_CONFIG) --cflags libcurl 2>/dev/null)
curl_libs = $(shell $(PKG_CONFIG) --libs libcurl 2>/dev/null || echo -lcurl)
# What undoes Content-Encoding.
coding := zlib libbrotlidec libzstd
coding_cflags = $(shell $(PKG_CONFIG) --cflags $(coding) 2>/dev/null)
coding_libs = $(shell $(PKG_CONFIG) --libs $(coding) 2>/dev/null || \
  echo -lz -lbrotlidec -lzstd)
# Checksums, digest authentication, and the TLS layer of libcurl.
crypto_cflags = $(shell $(PKG_CONFIG) --cflags libssl libcrypto 2>/dev/null)
crypto_libs = $(shell $(PKG_CONFIG) --libs libssl libcrypto 2>/dev/null || \
  echo -lssl -lcrypto)
engine_cflags = $(curl_cflags) $(coding_cflags) $(crypto_cflags)
engine_libs = $(curl_libs) $(coding_libs) $(crypto_libs) -lpthread
encoder_libs = $(shell $(PKG_CONFIG) --libs libbrotlienc 2>/dev/null || \
  echo -lbrotlienc) $(coding_libs)

language := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
compile = $(CC) $(language) $(OPTIMIZE) $(WARNINGS) $(WERROR) $(SANITIZE) \
  -fPIC -MMD -MP $(lua_cflags) $(engine_cflags) $(CPPFLAGS) $(CFLAGS)
# nodelete: a resolver's thread may outlive lua_close, which unloads us.
# What dlopen leaves undefined is Lua's: the host has it.
link_as := -shared -Wl,-z,nodelete
ifeq ($(shell uname -s),Darwin)
link_as := -bundle -undefined dynamic_lookup
endif
link_core = $(CC) $(link_as) $(SANITIZE) $(LDFLAGS)

sources := $(wildcard src/*.c)
objects := $(sources:%.c=$(BUILD)/%.o)
engine_parts := $(filter-out src/lua_%.c src/engine.c,$(sources))
decoder_parts := $(patsubst %,src/%.c,decoder coding error headers buf mask \
  printable quirks libcurl platform)
digest_parts := $(patsubst %,src/%.c,digest headers buf platform)
fuzz_targets := decoder digest headers reader
# Programs, not scripts; the sanitized build has its own.
programs := engine_test callback_test decoder_test digest_test quirks_test platform_test host \
  $(fuzz_targets:%=fuzz_%)
support := $(programs:%=$(BUILD)/spec/%) $(BUILD)/spec/posix_support.so \
  $(BUILD)/spec/encode_support.so $(BUILD)/spec/peer \
  $(BUILD)/spec/slow_resolver.so $(BUILD)/spec/fault.so \
  $(BUILD)/spec/late_recv.so $(BUILD)/spec/eager_input.so $(BUILD)/spec/oom
tools := $(patsubst %.c,$(BUILD)/%,$(wildcard bench/*.c))
c_files := $(wildcard src/*.[ch] spec/support/*.[ch] spec/fuzz/*.[ch] \
  bench/*.[ch] script/*.c)
lua_files := lua spec bench examples script .busted .luacheckrc

here := LUA_PATH="lua/?.lua;lua/?/init.lua;;" LUA_CPATH="./?.so;;"
# The demo starts nginx as the specs do.
with_server := LUA_PATH="lua/?.lua;lua/?/init.lua;./?.lua;./?/init.lua;;" \
  LUA_CPATH="./?.so;$(BUILD)/spec/?.so;;"

# ---- build -----------------------------------------------------------------
.PHONY: all objects
all: $(CORE) ## build curlew/core.so (the default)
objects: $(objects)

$(CORE): $(objects)
	@mkdir -p $(@D)
	$(link_core) -o $@ $(objects) $(engine_libs)

# Says what is missing before the first object is compiled. The file changes when
# Lua or libcurl is another one than before, and then all objects are compiled.
$(BUILD)/requirements: FORCE
	@mkdir -p $(@D)
	@problem="$(strip $(lua_problem))"; [ -z "$$problem" ] || { \
	  echo "curlew needs Lua 5.4 or 5.5, but $$problem: install Lua 5.4 (on" \
	  "Debian: apt-get install lua5.4 liblua5.4-dev) or name your Lua" \
	  "(make LUA=...)" >&2; exit 1; }
	@$(filter-out -MMD -MP,$(compile)) -E -P -o $@.new script/requirements.c
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

.PHONY: FORCE
FORCE:

$(BUILD)/src/%.o: src/%.c $(BUILD)/requirements Makefile
	@mkdir -p $(@D)
	$(compile) -fvisibility=hidden -c -o $@ $<

$(BUILD)/spec/posix_support.so: spec/support/posix.c $(BUILD)/requirements \
  Makefile
	@mkdir -p $(@D)
	$(compile) -shared -o $@ $<

$(BUILD)/spec/encode_support.so: spec/support/encode.c spec/support/coder.c \
  spec/support/coder.h $(BUILD)/requirements Makefile
	@mkdir -p $(@D)
	$(filter-out -MMD -MP,$(compile)) -shared -o $@ $(filter %.c,$^) \
	  $(encoder_libs)

$(BUILD)/spec/peer: spec/support/peer.c Makefile
	@mkdir -p $(@D)
	$(compile) -o $@ $< -lssl -lcrypto -lpthread

$(BUILD)/spec/with_server: spec/support/with_server.c Makefile
	@mkdir -p $(@D)
	$(compile) -o $@ $<

$(BUILD)/spec/slow_resolver.so: spec/support/slow_resolver.c Makefile
	@mkdir -p $(@D)
	$(compile) -shared -o $@ $< -ldl

$(BUILD)/spec/fault.so $(BUILD)/spec/late_recv.so \
  $(BUILD)/spec/eager_input.so: $(BUILD)/spec/%.so: spec/support/%.c Makefile
	@mkdir -p $(@D)
	$(compile) -shared -o $@ $< -ldl

# Hosts of Lua's own: -E, since core.so finds Lua in them.
lua_libs = $(shell for name in lua$(lua_version) lua-$(lua_version) lua; do \
  $(PKG_CONFIG) --libs $$name 2>/dev/null && break; done)
$(BUILD)/spec/oom: spec/support/oom.c $(BUILD)/requirements Makefile
	@mkdir -p $(@D)
	$(compile) -o $@ $< -Wl,-E $(lua_libs)

$(BUILD)/spec/host: spec/support/host.c $(BUILD)/requirements Makefile
	@mkdir -p $(@D)
	$(filter-out -MMD -MP,$(compile)) -o $@ $< -Wl,-E $(lua_libs) -lpthread

# The programs have objects of their own: the module may be built meanwhile.
spec_objects = $(patsubst %.c,$(BUILD)/spec/%.o,$(1))

$(BUILD)/spec/src/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(compile) -c -o $@ $<

$(BUILD)/spec/%.o: spec/support/%.c Makefile
	@mkdir -p $(@D)
	$(compile) -c -o $@ $<

# engine_test.c includes engine.c.
$(BUILD)/spec/engine_test: $(BUILD)/spec/engine_test.o \
  $(call spec_objects,$(engine_parts))
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(engine_libs)

# callback_test.c includes engine.c and transfer.c.
callback_parts = $(filter-out src/transfer.c,$(engine_parts))
$(BUILD)/spec/callback_test: $(BUILD)/spec/callback_test.o \
  $(call spec_objects,$(callback_parts))
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(engine_libs)

$(BUILD)/spec/decoder_test: $(BUILD)/spec/decoder_test.o \
  $(BUILD)/spec/coder.o $(call spec_objects,$(decoder_parts))
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(engine_libs) $(encoder_libs)

$(BUILD)/spec/digest_test: $(BUILD)/spec/digest_test.o \
  $(call spec_objects,$(digest_parts))
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(crypto_libs)

# quirks_test.c includes quirks.c.
$(BUILD)/spec/quirks_test: $(BUILD)/spec/quirks_test.o \
  $(call spec_objects,src/libcurl.c)
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(curl_libs) -lpthread

$(BUILD)/spec/platform_test: $(BUILD)/spec/platform_test.o \
  $(call spec_objects,src/platform.c)
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^

$(BUILD)/spec/fuzz/%.o: spec/fuzz/%.c Makefile
	@mkdir -p $(@D)
	$(compile) -c -o $@ $<

$(BUILD)/spec/fuzz_%: $(BUILD)/spec/fuzz/%.o $(BUILD)/spec/fuzz/replay.o \
  $(call spec_objects,src/engine.c $(engine_parts))
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(engine_libs)

.SECONDARY: $(call spec_objects,$(wildcard src/*.c))

$(BUILD)/bench/%: bench/%.c Makefile
	@mkdir -p $(@D)
	$(compile) -o $@ $< $(curl_libs) $(coding_libs)

-include $(objects:.o=.d) \
  $(wildcard $(BUILD)/spec/*.d $(BUILD)/spec/*/*.d $(BUILD)/bench/*.d)

# ---- install it ------------------------------------------------------------
# Into PREFIX, which DESTDIR precedes: make install DESTDIR=/tmp/x PREFIX=/usr
PREFIX ?= /usr/local
DESTDIR ?=
.PHONY: install install-documents
install: all ## install into PREFIX (/usr/local), below DESTDIR
	@[ -n "$(lua_version)" ] || { echo "curlew: there is no $(LUA) that tells" \
	  "the version of Lua: name yours (make install LUA=...)" >&2; exit 1; }
	@script/install all "$(DESTDIR)$(PREFIX)" $(lua_version) $(CORE)

# For LuaRocks, which installs the rest by itself.
install-documents:
	@script/install documents "$(DOCUMENTS)"

# ---- see it ----------------------------------------------------------------
.PHONY: demo smoke
smoke: ## install what is missing, build, make a request: for any system
	@script/needs smoke
	@$(MAKE) --no-print-directory -s all $(BUILD)/spec/with_server
	@$(here) $(BUILD)/spec/with_server $(LUA) script/smoke.lua

demo: ## install what is missing, build, show what curlew does
	@script/needs demo
	@$(MAKE) --no-print-directory -s all $(BUILD)/spec/posix_support.so
	@$(with_server) $(LUA) examples/demo.lua

# ---- test it ---------------------------------------------------------------
# The suite runs against what LuaRocks installed into a tree of its own, never
# against the root. ARGS goes to busted: make test ARGS=spec/buf_spec.lua
ARGS ?=
tree := build/tree
tree_dirs := $(tree)/share/lua/$(lua_version) $(tree)/lib/lua/$(lua_version)

# Specs that build and install curlew run in make test alone.
but_build := --exclude-tags=build

.PHONY: test stress asan rock support
test: rock support ## install what is missing and the rock, run the specs
	@$(if $(ARGS),script/suite $(tree_dirs) $(ARGS), \
	  script/files $(tree_dirs) build/test)

stress: rock support ## the specs with a collector that never rests
	@CURLEW_RESTLESS=1 script/files $(tree_dirs) build/stress $(but_build) $(ARGS)

# The same over other transports (spec/support/over.lua), but for what is about
# plain HTTP or about HTTP/1, and what takes long. HTTP/2 is over TLS always:
# make tls has the specs whose bytes HTTP/2 does not know.
over_tls := error leaks middleware observer request retry timeout transfer upload
over_http2 := body headers leaks limit observer read reader save timeout wait
over = CURLEW_OVER=$@ script/suite $(tree_dirs) --exclude-tags=$(but_$@) \
  $(or $(ARGS),$(over_$@:%=spec/%_spec.lua))
but_tls := plain,long
but_http2 := plain,http1,long

.PHONY: tls http2
tls: rock support ## the specs of requests and transfers over TLS
	@$(over)

http2: rock support ## the specs that can, over HTTP/2
	@$(over)

# The same in coroutines of an event loop (spec/support/wait.lua): what makes
# requests itself, but for what is about who waits without one. A process for
# each file; what its scripts do in others knows nothing of the loop.
in_loops := auth body decode download error headers http2 leaks limit map \
  middleware observer peer producer proxy read reader redirect request resume \
  retry save scope task timeout tls transfer truncated upload wait where
in_loop = CURLEW_WAIT=$@ script/files $(tree_dirs) build/$@ \
  --exclude-tags=builtin,long $(or $(ARGS),$(in_loops:%=spec/%_spec.lua))

.PHONY: cqueues luv
cqueues: rock support ## the specs that make requests, under cqueues
	@$(in_loop)

luv: rock support ## the same under luv
	@$(in_loop)

# Order: nothing can be built before the needs are there.
.PHONY: test-needs check-needs bench-needs
test-needs:
	@script/needs test
check-needs:
	@script/needs check
bench-needs:
	@script/needs bench

rock: test-needs
	@mkdir -p build
	@rm -rf $(tree)
	@luarocks --lua-version $(lua_version) make --deps-mode=none --tree $(tree) \
	  >build/rock.log 2>&1 || { cat build/rock.log; exit 1; }

support: test-needs
	@$(MAKE) --no-print-directory -s $(support)

# The lua of this folder is the real one with the sanitizer's runtime loaded
# first; found on PATH, it serves the lua that a spec starts as well.
asan_dir := build/asan
asan_lua := $(asan_dir)/bin/$(notdir $(LUA))
asan_options := exitcode=99:detect_leaks=1:detect_stack_use_after_return=1
asan_build = $(MAKE) --no-print-directory -s BUILD=$(asan_dir) \
  CORE=$(asan_dir)/curlew/core.so OPTIMIZE="-O1 -g -fno-omit-frame-pointer" \
  SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined"

asan: support ## the specs under AddressSanitizer, UBSan and LeakSanitizer
	@$(asan_build) all $(programs:%=$(asan_dir)/spec/%)
	@$(MAKE) --no-print-directory -s $(asan_lua)
	@PATH="$(CURDIR)/$(asan_dir)/bin:$$PATH" LUA=$(notdir $(LUA)) \
	  ASAN_OPTIONS=$(asan_options) UBSAN_OPTIONS=print_stacktrace=1 \
	  LSAN_OPTIONS=suppressions=$(CURDIR)/script/lsan.supp:print_suppressions=0 \
	  CURLEW_PROGRAMS="$(CURDIR)/$(asan_dir)/spec" \
	  script/files lua $(asan_dir) build/asan-logs $(but_build) $(ARGS)

# The paths for systems other than Linux, on Linux. Event loops need epoll, so
# what uses one is not run.
portable_dir := build/portable
in_portable := body descriptor download engine error headers http2 leaks limit \
  map memory_asking observer platform read reader redirect replaced request \
  resume retry save scope session task timeout tls transfer truncated upload \
  wait where
.PHONY: portable
portable: support ## the specs without the calls that only Linux has
	@$(MAKE) --no-print-directory -s BUILD=$(portable_dir) \
	  CORE=$(portable_dir)/curlew/core.so CPPFLAGS=-DCURLEW_PORTABLE=1 \
	  all $(programs:%=$(portable_dir)/spec/%)
	@echo "not run: event loops, which need epoll"
	@CURLEW_PROGRAMS="$(CURDIR)/$(portable_dir)/spec" CURLEW_PORTABLE=1 \
	  script/files lua $(portable_dir) build/portable-logs \
	  --exclude-tags=build,epoll $(or $(ARGS),$(in_portable:%=spec/%_spec.lua))

$(asan_lua): $(asan_dir)/unpreload.so Makefile
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nLD_PRELOAD="%s %s%s" exec %s "$$@"\n' \
	  "$$($(CC) -print-file-name=libasan.so)" "$(CURDIR)/$<" \
	  '$${LD_PRELOAD:+ $$LD_PRELOAD}' "$$(command -v $(LUA))" >$@
	@chmod +x $@

$(asan_dir)/unpreload.so: script/unpreload.c Makefile
	@mkdir -p $(@D)
	$(compile) -shared -o $@ $<

# The host program and its curlew.core have ThreadSanitizer in them; what runs the
# specs has not.
tsan_dir := build/tsan
tsan_build = $(MAKE) --no-print-directory -s BUILD=$(tsan_dir) \
  CORE=$(tsan_dir)/curlew/core.so OPTIMIZE="-O1 -g -fno-omit-frame-pointer" \
  SANITIZE=-fsanitize=thread

.PHONY: tsan
tsan: rock support ## two Lua states in two threads under ThreadSanitizer
	@$(tsan_build) all $(tsan_dir)/spec/host
	@TSAN_OPTIONS="exitcode=66 suppressions=$(CURDIR)/script/tsan.supp" \
	  CURLEW_PROGRAMS="$(CURDIR)/$(tsan_dir)/spec" \
	  CURLEW_HOST_CPATH="$(CURDIR)/$(tsan_dir)/?.so" \
	  script/suite $(tree_dirs) $(or $(ARGS),spec/embed_spec.lua)

# All that is in C, by each compiler; then the module as distributions build it:
# warnings of -flto appear when it is linked. ARGS are specs to run with that.
compilers := gcc clang
hardened := -O3 -flto=auto -D_FORTIFY_SOURCE=3
build_by = $(MAKE) --no-print-directory -s WERROR=-Werror CC=$(1) \
  BUILD=build/$(2) CORE=build/$(2)/curlew/core.so
links_hardened = echo 'int main(void) { return 0; }' | \
  $(1) $(hardened) -x c -o build/$(1)/links - 2>/dev/null

.PHONY: compilers everything
everything: all $(support) $(tools)
compilers: check-needs $(if $(ARGS),support) ## gcc and clang, -O3 -flto too, without a warning
	@$(MAKE) --no-print-directory -s -j2 $(compilers:%=with-%)

with-%:
	+@$(call build_by,$*,$*) OPTIMIZE=-O2 everything
	+@if $(call links_hardened,$*); then \
	  $(call build_by,$*,$*-hardened) OPTIMIZE="$(hardened)" \
	    LDFLAGS="$(hardened) -Werror" all && { [ -z "$(ARGS)" ] || \
	    script/suite lua build/$*-hardened $(ARGS); }; \
	else echo "not built with -flto: $* cannot link it here"; fi

# ---- check it --------------------------------------------------------------
.PHONY: check lint valgrind
check: ## test, tls, http2, cqueues, luv, lint, compilers, asan, tsan, stress: what CI runs
	@script/needs check
	@MAKE="$(MAKE)" script/check test tls http2 cqueues luv lint compilers asan \
	  tsan stress

# One file a process: clang-tidy 14 misreads va_start after the first one.
# cppcheck does not read the libraries' headers. Thus it takes the lines of #error
# for reached, which compilers see better. Since 2.11 it tells of each function
# with too many branches to follow.
lint: check-needs ## luacheck, clang-format, clang-tidy, cppcheck, -Werror
	luacheck -q $(wildcard $(lua_files))
	luarocks lint $(wildcard rockspec/*.rockspec)
	script/lint-yaml $(wildcard .github/workflows/*.yml)
	clang-format --dry-run -Werror $(c_files)
	@$(MAKE) --no-print-directory -s objects BUILD=build/werror WERROR=-Werror
	cppcheck -q --std=c11 --enable=warning,performance,portability \
	  --inline-suppr --suppress=missingIncludeSystem \
	  --suppress=preprocessorErrorDirective \
	  --suppress=normalCheckLevelMaxBranches --error-exitcode=1 \
	  $(filter %.c,$(c_files))
	printf '%s\n' $(filter %.c,$(c_files)) | xargs -P 2 -n 1 sh -c \
	  'clang-tidy --quiet "$$@" -- $(language) $(lua_cflags) $(engine_cflags) \
	    2>build/tidy.$$$$ || { cat build/tidy.$$$$ >&2; exit 1; }' tidy
	@rm -f build/tidy.*

valgrind: bench-needs ## the demo under valgrind: nothing lost
	@$(MAKE) --no-print-directory -s all $(BUILD)/spec/posix_support.so
	@$(with_server) valgrind --child-silent-after-fork=yes --leak-check=full \
	  --show-leak-kinds=definite,indirect \
	  --errors-for-leak-kinds=definite,indirect \
	  --suppressions=script/valgrind.supp --error-exitcode=99 \
	  $(LUA) examples/demo.lua

# libFuzzer over each target, from what the corpus knows; what is new is kept
# in build/fuzz, a failing input beside it.
FUZZ_SECONDS ?= 60
fuzz_build = clang $(language) $(WARNINGS) -O1 -g -fno-omit-frame-pointer \
  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
  $(engine_cflags)

build/fuzz/%: spec/fuzz/%.c src/engine.c $(engine_parts) \
  $(wildcard src/*.h) spec/fuzz/fuzz.h Makefile
	@mkdir -p $(@D)
	$(fuzz_build) -o $@ $(filter %.c,$^) $(engine_libs)

.PHONY: fuzz fuzz-needs
fuzz-needs:
	@script/needs fuzz
fuzz: fuzz-needs ## random input to decoder, digest, headers and reader, FUZZ_SECONDS each (60)
	@$(MAKE) --no-print-directory -s $(fuzz_targets:%=build/fuzz/%)
	@for target in $(fuzz_targets); do script/fuzz $$target $(FUZZ_SECONDS) || \
	  exit 1; done

# ---- measure it ------------------------------------------------------------
# ROWS=stream,lines measures only these groups of rows (bench/run.lua).
ROWS ?=
.PHONY: bench
bench: bench-needs ## the numbers to hold, against plain libcurl in C; ROWS=...
	@$(MAKE) --no-print-directory -s all $(tools) $(support)
	@CURLEW_BUILD=build ROWS="$(ROWS)" $(here) $(LUA) bench/run.lua

# ---- the rest --------------------------------------------------------------
.PHONY: doc format clean help
doc: all ## the options in README, reference and types, from their table
	@$(here) $(LUA) script/document.lua

format: ## clang-format all C
	clang-format -i $(c_files)

clean: ## remove all that was built
	rm -rf build curlew

help: ## these lines
	@sed -n 's/^\([a-z0-9]*\):[^#]*## */\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
	  awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

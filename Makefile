# Syncline. `make demo` runs the main job, `make test` passes all tests; both set up what they need.
#
#   make              library, and the Lua module for Lua 5.4, 5.3, 5.1 and LuaJIT
#   make setup        installs the Debian packages that are missing (as root)
#   make test         everything; the last line is "N passed, N failed"
#   make test-asan    the C tests and vectors with AddressSanitizer and UndefinedBehaviorSanitizer
#   make vectors      golden files of DIR=path against the runners of spec/vectors/
#   make queries      golden files of the query language of DIR=path
#   make fuzz         every fuzz target for SECONDS=60 (NAME=one of them)
#   make sim          the simulator: SEEDS=1000, FIRST=1; sim-mutations: it finds safeties switched off
#   make soak         two million random merge programs, then the simulator until it is stopped
#   make bench        benchmarks (NAME=workload, DIR=workload files, JSON=1)
#   make lint docs demo interop install clean
#
# BUILD=dir   where everything is built (default build)
# ROOMS=...   which rooms of csrc/ go into the library (default: all but lua)
# SAN=1       AddressSanitizer and UndefinedBehaviorSanitizer

BUILD ?= build
ROOMS ?= base value protocol net auth changeset transform realm query store history session sim
LUAS ?= lua5.4 lua5.3 lua5.1 luajit
SYNCLINE_SHARED ?= ../shared
CC ?= gcc
# Programs of tests remember their users here, not among those of the person who runs them.
export XDG_STATE_HOME := $(abspath $(BUILD))/state
WARN = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
OPT ?= -O2 -g
ifdef SAN
SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT = -O1 -g
endif
override CFLAGS += -std=c11 $(OPT) $(WARN) -fPIC -fvisibility=hidden -Icsrc $(SANFLAGS)
override CPPFLAGS += -D_GNU_SOURCE
LIBRARIES = jansson z sqlite3 websockets wslay http_parser uv ssl crypto m
override LDLIBS += $(LIBRARIES:%=-l%)

SRC = $(foreach r,$(ROOMS),$(wildcard csrc/$(r)/*.c))
OBJ = $(SRC:csrc/%.c=$(BUILD)/obj/%.o)
LIB = $(BUILD)/libsyncline.a

.PHONY: all lib core cores unit spec vectors bench fuzz lint rockspec docs demo interop setup test \
        test-asan install clean
.SECONDARY:
all: lib cores
lib: $(LIB)

$(BUILD)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(OBJ)
	@rm -f $@
	@ar rcs $@ $(OBJ)

# ---- the Lua module: the same sources for every Lua ------------------------------------------------

LUA_SRC = $(wildcard csrc/lua/*.c)
CORES = $(LUAS:%=$(BUILD)/%/syncline/core.so)
core: $(BUILD)/lua5.4/syncline/core.so
cores: $(CORES)

define lua_rules
$(BUILD)/$(1)/obj/%.o: csrc/lua/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(CFLAGS) -I$$(or $$(LUA_INCDIR),/usr/include/$(2)) -MMD -MP -c $$< -o $$@
$(BUILD)/$(1)/syncline/core.so: $(LUA_SRC:csrc/lua/%.c=$(BUILD)/$(1)/obj/%.o) $(LIB)
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) -shared -Wl,--no-undefined-version $$(filter %.o,$$^) $(LIB) $$(LDLIBS) -o $$@
-include $(LUA_SRC:csrc/lua/%.c=$(BUILD)/$(1)/obj/%.d)
endef
$(eval $(call lua_rules,lua5.4,lua5.4))
$(eval $(call lua_rules,lua5.3,lua5.3))
$(eval $(call lua_rules,lua5.1,lua5.1))
$(eval $(call lua_rules,luajit,luajit-2.1))

# ---- tests -----------------------------------------------------------------------------------------

# C-only unit tests: one cmocka program per spec/<room>/<name>_test.c.
UNIT_SRC = $(foreach r,$(ROOMS),$(wildcard spec/$(r)/*_test.c))
UNIT = $(UNIT_SRC:spec/%.c=$(BUILD)/unit/%)
SUPPORT_SRC = $(wildcard spec/support/*.c)
SUPPORT = $(SUPPORT_SRC:%.c=$(BUILD)/%.o)
VECTORS = $(patsubst spec/vectors/%.c,$(BUILD)/vectors/%,$(wildcard spec/vectors/run_*.c))

$(BUILD)/spec/%.o: spec/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Ispec/support -MMD -MP -c $< -o $@

$(BUILD)/unit/%: spec/%.c $(SUPPORT) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Ispec/support -MMD -MP $< $(SUPPORT) $(LIB) -lcmocka $(LDLIBS) -o $@

$(BUILD)/vectors/%: spec/vectors/%.c $(SUPPORT) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Ispec/support -MMD -MP $< $(SUPPORT) $(LIB) -lcmocka $(LDLIBS) -o $@

unit: $(UNIT)
	@set -e; for t in $(UNIT); do echo "== $$t"; $$t; done

# Lua specs under one Lua: make spec [LUA=luajit] [FILES=spec/lua].
LUA ?= lua5.4
FILES ?= spec
LUA_ENV = LUA_PATH="lua/?.lua;lua/?/init.lua;spec/?.lua;;" LUA_CPATH="$(BUILD)/$(LUA)/?.so;;" \
          SYNCLINE_BUILD=$(BUILD) SYNCLINE_LUA=$(LUA) SYNCLINE_SHARED=$(SYNCLINE_SHARED)
spec: $(BUILD)/$(LUA)/syncline/core.so
	$(LUA_ENV) $(LUA) /usr/bin/busted --ignore-lua $(BUSTED) $(FILES)

# make vectors DIR=path: every golden file of a directory; per file "name: N passed, N failed".
vectors: $(VECTORS)
	@status=0; for v in $(VECTORS); do $$v "$(or $(DIR),$(SYNCLINE_SHARED)/vectors)" || status=1; done; \
	exit $$status

# make queries DIR=path: the query language alone; DIR holds queries*.jsonl, or a folder queries with them.
.PHONY: queries
queries: $(BUILD)/vectors/run_queries
	@$< "$(or $(DIR),$(SYNCLINE_SHARED)/vectors)"

test: setup
	@$(MAKE) --no-print-directory -s -j2 all unit-programs vector-programs sim-program
	@BUILD=$(BUILD) SYNCLINE_SHARED=$(SYNCLINE_SHARED) lua5.4 spec/support/run_tests.lua

.PHONY: unit-programs vector-programs
unit-programs: $(UNIT)
vector-programs: $(VECTORS)

test-asan: setup
	@$(MAKE) --no-print-directory -s -j2 SAN=1 BUILD=$(BUILD)/san lib unit-programs vector-programs
	@BUILD=$(BUILD)/san SYNCLINE_SHARED=$(SYNCLINE_SHARED) lua5.4 spec/support/run_tests.lua unit vectors

# The published Realm JS against our server.
interop: setup core
	@BUILD=$(BUILD) SYNCLINE_SHARED=$(SYNCLINE_SHARED) lua5.4 spec/support/run_tests.lua interop

# ---- the simulator ---------------------------------------------------------------------------------

# Safeties that --mutations switches off by sending these calls to the test program.
SIM_CALLS = sl_file_member_upload sl_server_history_integrate sl_server_history_check_ident \
  sl_server_history_scan sl_server_file_work sl_server_file_member sl_client_history_scan_uploads \
  sl_upload_entry_write sl_order_entries sl_server_history_limit sl_server_history_transact \
  sl_server_history_holds sl_realm_open sl_changeset_adopt_ident sl_merge_pair
SIM = $(BUILD)/simulator/run_sim
SIM_SRC = $(filter-out %_test.c,$(wildcard spec/sim/*.c))
$(SIM): $(SIM_SRC) $(wildcard spec/sim/*.h spec/support/*.h) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Ispec/support $(SIM_SRC) $(SIM_CALLS:%=-Wl,--wrap=%) $(LIB) $(LDLIBS) -o $@

.PHONY: sim-program sim sim-mutations soak
sim-program: $(SIM)
sim: $(SIM)
	@$(SIM) --seeds $(or $(SEEDS),1000) --first $(or $(FIRST),1)
sim-mutations: $(SIM)
	@$(SIM) --mutations --seeds $(or $(SEEDS),3000)
soak: $(SIM) $(BUILD)/unit/transform/network_test
	@$(BUILD)/unit/transform/network_test --seeds $(or $(SEEDS),2000000) --first $(or $(FIRST),1001)
	@$(SIM) --forever --first $(or $(FIRST),1001)

# ---- fuzzing and benchmarks ------------------------------------------------------------------------

SECONDS ?= 60
FUZZ_DIR = $(BUILD)/fuzz
FUZZ_NAMES = $(if $(NAME),$(NAME),$(patsubst fuzz/%_fuzz.c,%,$(wildcard fuzz/*_fuzz.c)))
FUZZ_FLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -O1 -g

fuzz:
	@$(MAKE) --no-print-directory -s -j2 CC=clang BUILD=$(FUZZ_DIR) OPT= \
	    CFLAGS="$(FUZZ_FLAGS) -fsanitize=fuzzer-no-link" lib
	@set -e; for name in $(FUZZ_NAMES); do \
	    clang -std=c11 -D_GNU_SOURCE -Icsrc $(FUZZ_FLAGS) -fsanitize=fuzzer fuzz/$${name}_fuzz.c \
	        $(FUZZ_DIR)/libsyncline.a $(LDLIBS) -o $(FUZZ_DIR)/$$name; \
	    mkdir -p $(FUZZ_DIR)/corpus/$$name fuzz/corpus/$$name; \
	    echo "== $$name, $(SECONDS) s"; \
	    $(FUZZ_DIR)/$$name -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=4096 -verbosity=0 \
	        -print_final_stats=1 -artifact_prefix=$(FUZZ_DIR)/$$name- \
	        $(FUZZ_DIR)/corpus/$$name fuzz/corpus/$$name; \
	done

# Every bench/*.c is a program, every bench/*.lua a script; both take --name, --dir and --json.
BENCH = $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))
BENCH_LUA = $(wildcard bench/*.lua)
BENCH_ARGS = $(if $(NAME),--name $(NAME)) $(if $(DIR),--dir $(DIR)) $(if $(JSON),--json)
BENCH_SUPPORT = $(wildcard bench/support/*.c)
$(BUILD)/bench/%: bench/%.c $(BENCH_SUPPORT) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Ibench/support -MMD -MP $< $(BENCH_SUPPORT) $(LIB) $(LDLIBS) -o $@
bench: $(BENCH) $(if $(BENCH_LUA),core)
	@set -e; for b in $(BENCH); do $$b $(BENCH_ARGS); done; \
	for b in $(BENCH_LUA); do $(LUA_ENV) $(LUA) $$b $(BENCH_ARGS); done

# ---- care ------------------------------------------------------------------------------------------

C_FILES = $(wildcard csrc/*/*.[ch] spec/*/*.[ch] fuzz/*.[ch] bench/*.[ch] bench/support/*.[ch])
lint:
	lua5.4 spec/support/floors.lua
	luacheck -q lua bin/syncline spec examples bench doc rockspec/update.lua
	clang-format --dry-run -Werror $(C_FILES)
	cppcheck -q -j2 --std=c11 --enable=warning,performance,portability --error-exitcode=1 \
	    --inline-suppr --suppressions-list=.cppcheck -Icsrc $(wildcard csrc/*/*.c)

rockspec:
	lua5.4 rockspec/update.lua

docs:
	lua5.4 doc/generate.lua

demo: setup core
	@$(LUA_ENV) $(LUA) examples/demo.lua

# ---- setup and install -----------------------------------------------------------------------------

PACKAGES = build-essential pkg-config ca-certificates curl git \
  lua5.1 lua5.3 lua5.4 luajit liblua5.1-0-dev liblua5.3-dev liblua5.4-dev libluajit-5.1-dev \
  lua-cjson lua-busted lua-check luarocks \
  libssl-dev zlib1g-dev libsqlite3-dev libuv1-dev libwebsockets-dev libwebsockets-evlib-uv \
  libwslay-dev libhttp-parser-dev libjansson-dev libcmocka-dev \
  clang clang-format libclang-rt-14-dev cppcheck sqlite3 openssl iso-codes nodejs iproute2 \
  python3 python3-websockets chromium

# dpkg answers at once when everything is there, so that no network is needed a second time.
setup:
	@missing=""; for p in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	case "$$missing" in *nodejs*) command -v node >/dev/null && missing=$${missing%nodejs*}$${missing#*nodejs};; esac; \
	if [ -z "$$(command -v npm)" ]; then missing="$$missing npm"; fi; \
	if [ -n "$$missing" ]; then echo "installing:$$missing"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing; fi

PREFIX ?= /usr/local
install: $(BUILD)/$(LUA)/syncline/core.so
	install -d $(DESTDIR)$(PREFIX)/share/lua/5.4 $(DESTDIR)$(PREFIX)/lib/lua/5.4/syncline $(DESTDIR)$(PREFIX)/bin
	cp -R lua/syncline lua/syncline.lua $(DESTDIR)$(PREFIX)/share/lua/5.4/
	install -m 755 $(BUILD)/$(LUA)/syncline/core.so $(DESTDIR)$(PREFIX)/lib/lua/5.4/syncline/core.so
	install -m 755 bin/syncline $(DESTDIR)$(PREFIX)/bin/syncline

clean:
	rm -rf $(BUILD)

-include $(OBJ:.o=.d) $(UNIT:=.d) $(VECTORS:=.d) $(SUPPORT:.o=.d) $(BENCH:=.d)

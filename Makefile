# Syncline. `make demo` runs the main job, `make test` passes all tests; both set up what they need.
#
# BUILD=dir   where everything is built (default build)
# ROOMS=...   which rooms of csrc/ go into the library (default: all but lua)
# SAN=1       AddressSanitizer and UndefinedBehaviorSanitizer

BUILD ?= build
ROOMS ?= base value protocol net auth changeset transform realm store history session
CC ?= gcc
WARN = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
OPT ?= -O2 -g
ifdef SAN
SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT = -O1 -g
endif
CFLAGS += -std=c11 $(OPT) $(WARN) -fPIC -fvisibility=hidden -Icsrc $(SANFLAGS)
CPPFLAGS += -D_GNU_SOURCE
LDLIBS += -ljansson -lz -lsqlite3 -lwebsockets -lwslay -lhttp_parser -luv -lssl -lcrypto -lm

SRC = $(foreach r,$(ROOMS),$(wildcard csrc/$(r)/*.c))
OBJ = $(SRC:csrc/%.c=$(BUILD)/obj/%.o)
LIB = $(BUILD)/libsyncline.a
UNIT_SRC = $(foreach r,$(ROOMS),$(wildcard spec/$(r)/*_test.c))
UNIT = $(UNIT_SRC:spec/%.c=$(BUILD)/unit/%)

.PHONY: lib unit clean
.SECONDARY:
lib: $(LIB)

$(BUILD)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(OBJ)
	@rm -f $@
	ar rcs $@ $(OBJ)

# C-only unit tests: one cmocka program per spec/<room>/<name>_test.c.
$(BUILD)/unit/%: spec/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Ispec/support -MMD -MP $< $(LIB) -lcmocka $(LDLIBS) -o $@

unit: $(UNIT)
	@set -e; for t in $(UNIT); do echo "== $$t"; $$t; done

clean:
	rm -rf $(BUILD)

-include $(OBJ:.o=.d) $(UNIT:=.d)

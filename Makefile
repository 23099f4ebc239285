# What to do in a checkout. Everything sets itself up: only a Python 3.11 and make are needed, and a Python 3.13 for
# Blender 5.2. Environments lie in .venvs, what is built in build.

ifndef PYTHON
export PYTHON := $(shell for each in python3.11 python3.12 python3.13 python3; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$each && break; done)
endif
ifeq ($(PYTHON),)
$(error No Python 3.10 or later on PATH: install Python 3.11 (python.org))
endif

# Blender as a Python module, in each version that a Python is found for: oldest first.
ifndef BLENDERS
export BLENDERS := $(shell $(PYTHON) -m backend.environment blenders)
endif
ifeq ($(BLENDERS),)
$(error Neither Python 3.11 nor Python 3.13 was found, and Blender as a module needs one: install Python 3.11 (python.org))
endif
NEWEST := $(lastword $(BLENDERS))
TESTED := $(sort $(firstword $(BLENDERS)) $(NEWEST))

BACKEND := .venvs/backend/bin/python
BLENDER := .venvs/$(NEWEST)/bin/python
WITH_BACKEND = RECAM_PYTHON="$$PWD/$(BACKEND)"
PYTEST := -m pytest -c tests/pytest.ini

.PHONY: help demo test test-all tests test-backend test-blender test-window checks bench zip release schema texts pictures \
	setup setup-backend setup-demo setup-backend-alone clean

help:
	@echo 'make demo      re-shoot the sample clip in Blender; pictures and a .blend land in build/demo'
	@echo 'make test      check and test all, with the oldest and the newest Blender'
	@echo 'make test-all  the same with every Blender'
	@echo 'make bench     measure speed and memory'
	@echo 'make zip       build the extension in build/'
	@echo 'make release   build it from the commit, with the index that Blenders update from, in build/release/'
	@echo 'make texts     write the template for translators anew'
	@echo 'make pictures  take the pictures of the manual anew'
	@echo 'make setup     make the environments that these need'
	@echo 'make schema    write docs/job.schema.json, the table of models and the page of troubles anew'
	@echo 'make clean     remove build/'

demo: setup-demo
	$(WITH_BACKEND) $(BLENDER) -m samples.demo

# All parts run, also after one has failed; the exit status tells.
test: setup
	@failed=; \
	for part in checks tests test-window; do \
		echo "== $$part"; $(MAKE) --no-print-directory $$part || failed="$$failed $$part"; \
	done; \
	if [ -n "$$failed" ]; then echo "== failed:$$failed"; exit 1; fi; echo '== all is well'

# Each of them keeps one core busy: two at a time.
tests:
	@$(MAKE) --no-print-directory -j2 -k $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) \
		test-backend $(addprefix test-,$(TESTED))

test-all:
	@$(MAKE) --no-print-directory test TESTED='$(BLENDERS)'

checks: build/package/recam
	@status=0; \
	$(BACKEND) -m ruff check . || status=1; \
	$(BACKEND) -m ruff format --check . || status=1; \
	$(BACKEND) -m mypy || status=1; \
	exit $$status

test-backend:
	$(BACKEND) $(PYTEST) tests/backend

test-blender-%:
	$(WITH_BACKEND) .venvs/blender-$*/bin/python $(PYTEST) tests/recam_blender

# In a real Blender with a window; these tests say themselves where there is none.
test-window:
	$(WITH_BACKEND) RECAM_BLENDER="$$PWD/$(BLENDER)" $(BACKEND) $(PYTEST) tests/window

# Of the manual, taken anew: in a real Blender.
pictures: setup-backend setup-demo
	$(WITH_BACKEND) RECAM_BLENDER="$$PWD/$(BLENDER)" $(BACKEND) tests/window/pictures.py docs/images
	$(WITH_BACKEND) RECAM_BLENDER="$$PWD/$(BLENDER)" RECAM_PICTURES="$$PWD/docs/images" \
		$(BACKEND) $(PYTEST) tests/window/test_first_use.py

# All run, also after one has missed its aim; the exit status tells. What imports bpy runs in Blender.
bench: setup-backend setup-demo
	@failed=; \
	for each in benchmarks/[a-z]*.py; do \
		name=$$(basename "$$each" .py); echo "== $$name"; \
		if grep -q 'import bpy' "$$each"; then python=$(BLENDER); else python=$(BACKEND); fi; \
		$(WITH_BACKEND) $$python -m benchmarks.$$name || failed="$$failed $$name"; \
	done; \
	if [ -n "$$failed" ]; then echo "== missed its aim or failed:$$failed"; exit 1; fi

zip: setup-demo
	$(BLENDER) -m samples.extension

# TAG=v1.2.3 says that this is to be published: then the tag, the version and the changelog must fit one another.
release: setup-demo
	$(BLENDER) -m samples.release $(if $(TAG),--tag '$(TAG)')

schema: setup-backend-alone
	$(BACKEND) -m backend schema > docs/job.schema.json.new && mv docs/job.schema.json.new docs/job.schema.json
	$(BACKEND) -m backend.models.tables docs/models.md
	$(BACKEND) -m samples.troubles

texts: setup-backend-alone
	$(BACKEND) -m samples.texts

setup: setup-backend
	@$(PYTHON) -m backend.environment make $(TESTED)

# With the engine that needs torch, a download of some 200 MB (the CPU's) to 3 GB (CUDA's).
setup-backend:
	@$(PYTHON) -m backend.environment make backend --also recammaster --also tools

# What the demo needs: no torch, so that a first take is minutes away. `setup` adds to it later.
setup-demo: setup-backend-alone
	@$(PYTHON) -m backend.environment make $(NEWEST)

setup-backend-alone:
	@$(PYTHON) -m backend.environment make backend

# The checkout as an importable package, whatever its folder is called: for mypy and import-linter.
build/package/recam:
	mkdir -p build/package
	ln -sfn ../.. build/package/recam

clean:
	rm -rf build

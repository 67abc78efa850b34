// ExecuTorch's own C++ runtime behind five C functions, so that Python calls it without torch: its pybindings link
// libtorch, the libraries of its wheel do not. Arrays come as pointers to C-contiguous bytes and are checked against
// what the program says; results are copied out.

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/runtime/platform/platform.h>

namespace et = executorch::runtime;
namespace ex = executorch::extension;

namespace {

std::mutex told_mutex;
std::string told;  // the last error that the runtime has logged

void log_message(et_timestamp_t, et_pal_log_level_t level, const char*, const char*, size_t, const char* message,
                 size_t length) {
  if (level != kError && level != kFatal) return;
  std::lock_guard<std::mutex> lock(told_mutex);
  told.assign(message, length);
}

// The runtime complains on stderr of being told so: not of ours.
bool listen() {
  const int kept = dup(2), nowhere = open("/dev/null", O_WRONLY);
  if (nowhere >= 0) dup2(nowhere, 2);
  const bool done = et::register_pal(et::PalImpl::create(log_message, "selvedge"));
  if (kept >= 0) dup2(kept, 2);
  if (nowhere >= 0) close(nowhere);
  if (kept >= 0) close(kept);
  return done;
}

const bool registered = listen();

struct Program {
  std::vector<uint8_t> bytes;
  std::unique_ptr<ex::Module> module;
};

int refuse(char* error, size_t room, const char* what, et::Error code) {
  std::lock_guard<std::mutex> lock(told_mutex);
  std::string said = std::string(what) + " (error " + std::to_string(static_cast<int>(code)) + ")";
  if (!told.empty()) said += ": " + told;
  told.clear();
  std::strncpy(error, said.c_str(), room - 1);
  error[room - 1] = 0;
  return 1;
}

}  // namespace

extern "C" {

// A program of ``size`` bytes, copied; null and a message where the runtime refuses it.
void* sv_open(const void* data, size_t size, char* error, size_t room) {
  try {
    auto made = std::make_unique<Program>();
    auto from = static_cast<const uint8_t*>(data);
    made->bytes.assign(from, from + size);
    auto loader = std::make_unique<ex::BufferDataLoader>(made->bytes.data(), made->bytes.size());
    made->module = std::make_unique<ex::Module>(std::move(loader));
    auto code = made->module->load(et::Program::Verification::InternalConsistency);
    if (code == et::Error::Ok) code = made->module->load_method("forward");
    if (code != et::Error::Ok) {
      refuse(error, room, "it cannot be loaded", code);
      return nullptr;
    }
    return made.release();
  } catch (const std::exception& found) {
    std::strncpy(error, found.what(), room - 1);
    error[room - 1] = 0;
    return nullptr;
  }
}

void sv_close(void* program) { delete static_cast<Program*>(program); }

// The bytes of the arenas that the program's planner has made for "forward": activations, constants apart.
size_t sv_arena(void* program) {
  auto meta = static_cast<Program*>(program)->module->method_meta("forward");
  if (!meta.ok()) return 0;
  size_t total = 0;
  for (size_t i = 0; i < meta->num_memory_planned_buffers(); i++) {
    auto size = meta->memory_planned_buffer_size(i);
    if (size.ok()) total += static_cast<size_t>(*size);
  }
  return total;
}

// Runs "forward". dtypes: of et::ScalarType; shapes: all extents, one array after the other. Each result must be of the
// bytes that ``room_of`` says. 0, or 1 and a message.
int sv_run(void* program, size_t takes, const void* const* data, const int* dtypes, const int* ranks,
           const int32_t* shapes, size_t gives, void* const* results, const size_t* room_of, char* error, size_t room) {
  try {
    auto& module = *static_cast<Program*>(program)->module;
    std::vector<et::EValue> inputs;
    std::vector<ex::TensorPtr> held;
    for (size_t i = 0; i < takes; i++) {
      std::vector<executorch::aten::SizesType> sizes(shapes, shapes + ranks[i]);
      shapes += ranks[i];
      held.push_back(ex::make_tensor_ptr(sizes, const_cast<void*>(data[i]),
                                         static_cast<executorch::aten::ScalarType>(dtypes[i])));
      inputs.emplace_back(*held.back());
    }
    auto made = module.execute("forward", inputs);
    if (!made.ok()) return refuse(error, room, "it cannot be run", made.error());
    if (made->size() != gives) return refuse(error, room, "it gives another number of results", et::Error::Internal);
    for (size_t i = 0; i < gives; i++) {
      if (!(*made)[i].isTensor()) return refuse(error, room, "a result is no tensor", et::Error::Internal);
      const auto& tensor = (*made)[i].toTensor();
      if (tensor.nbytes() != room_of[i]) return refuse(error, room, "a result has another size", et::Error::Internal);
      if (room_of[i]) std::memcpy(results[i], tensor.const_data_ptr(), room_of[i]);
    }
    return 0;
  } catch (const std::exception& found) {
    std::strncpy(error, found.what(), room - 1);
    error[room - 1] = 0;
    return 1;
  }
}

}  // extern "C"

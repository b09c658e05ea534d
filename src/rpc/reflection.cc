// SPDX-License-Identifier: Apache-2.0
#include "rpc/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "rpc/stream_call.h"

namespace freshline::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
namespace reflection_v1 = grpc::reflection::v1;
namespace reflection_v1alpha = grpc::reflection::v1alpha;

struct Services {
  std::vector<std::string> names;
  CodeCounts counts;
};

// One stream of questions and answers, of either version of the protocol: the
// messages are the same.
template <typename Request, typename Response>
class ReflectionCall final : public StreamCall {
 public:
  ReflectionCall(std::shared_ptr<Services> services, const CallOrigin& origin)
      : StreamCall(origin, &services->counts, MessageLimits()),
        services_(std::move(services)) {}

 private:
  void OnMessage(std::string bytes) override {
    Request request;
    if (!request.ParseFromString(bytes)) {
      End(absl::InvalidArgumentError(
          absl::StrCat("what was sent is no ", request.GetTypeName())));
      return;
    }
    Response response;
    response.set_valid_host(request.host());
    *response.mutable_original_request() = request;
    Answer(request, &response);
    Write(response);
  }
  void OnHalfClose() override { End(absl::OkStatus()); }

  void Answer(const Request& request, Response* out) const {
    const DescriptorPool& pool = *DescriptorPool::generated_pool();
    switch (request.message_request_case()) {
      case Request::kFileByFilename:
        return AddFiles(pool.FindFileByName(request.file_by_filename()), out);
      case Request::kFileContainingSymbol:
        return AddFiles(
            pool.FindFileContainingSymbol(request.file_containing_symbol()),
            out);
      case Request::kFileContainingExtension: {
        const auto& wanted = request.file_containing_extension();
        const FieldDescriptor* const found = pool.FindExtensionByNumber(
            pool.FindMessageTypeByName(wanted.containing_type()),
            wanted.extension_number());
        return AddFiles(found == nullptr ? nullptr : found->file(), out);
      }
      case Request::kAllExtensionNumbersOfType:
        return AddExtensions(pool, request.all_extension_numbers_of_type(),
                             out);
      case Request::kListServices:
        for (const std::string& name : services_->names) {
          out->mutable_list_services_response()->add_service()->set_name(name);
        }
        return;
      default:
        SetError(absl::StatusCode::kInvalidArgument, "it asks for nothing",
                 out);
    }
  }

  // The file and what it imports, each once.
  static void AddFiles(const FileDescriptor* file, Response* out) {
    if (file == nullptr) {
      SetError(absl::StatusCode::kNotFound, "there is nothing of that name",
               out);
      return;
    }
    std::set<const FileDescriptor*> seen{file};
    std::vector<const FileDescriptor*> files{file};
    for (size_t i = 0; i < files.size(); ++i) {
      google::protobuf::FileDescriptorProto proto;
      files[i]->CopyTo(&proto);
      *out->mutable_file_descriptor_response()->add_file_descriptor_proto() =
          proto.SerializeAsString();
      for (int d = 0; d < files[i]->dependency_count(); ++d) {
        const FileDescriptor* const next = files[i]->dependency(d);
        if (seen.insert(next).second) files.push_back(next);
      }
    }
  }

  static void AddExtensions(const DescriptorPool& pool, const std::string& type,
                            Response* out) {
    const Descriptor* const found = pool.FindMessageTypeByName(type);
    if (found == nullptr) {
      SetError(absl::StatusCode::kNotFound, "there is no message of that name",
               out);
      return;
    }
    auto* const numbers = out->mutable_all_extension_numbers_response();
    numbers->set_base_type_name(type);
    std::vector<const FieldDescriptor*> extensions;
    pool.FindAllExtensions(found, &extensions);
    for (const FieldDescriptor* e : extensions) {
      numbers->add_extension_number(e->number());
    }
  }

  static void SetError(absl::StatusCode code, const char* message,
                       Response* out) {
    out->mutable_error_response()->set_error_code(static_cast<int>(code));
    out->mutable_error_response()->set_error_message(message);
  }

  const std::shared_ptr<Services> services_;
};

template <typename Request, typename Response>
void Add(const std::shared_ptr<Services>& services, MethodTable* methods) {
  const std::string service =
      Request::descriptor()->file()->service(0)->full_name();
  services->names.push_back(service);
  methods->emplace(
      std::string(absl::StrCat("/", service, "/ServerReflectionInfo")),
      MethodEntry{[services](Poller*, const CallOrigin& origin) -> Call* {
                    return new ReflectionCall<Request, Response>(services,
                                                                 origin);
                  },
                  &services->counts});
}

}  // namespace

void AddReflection(MethodTable* methods) {
  auto services = std::make_shared<Services>();
  std::set<std::string> names;
  for (const auto& [path, entry] : *methods) {
    names.insert(path.substr(1, path.rfind('/') - 1));
  }
  services->names.assign(names.begin(), names.end());
  Add<reflection_v1::ServerReflectionRequest,
      reflection_v1::ServerReflectionResponse>(services, methods);
  Add<reflection_v1alpha::ServerReflectionRequest,
      reflection_v1alpha::ServerReflectionResponse>(services, methods);
}

}  // namespace freshline::rpc

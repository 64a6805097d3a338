# A Debian source package's tree, since `debian' has its place in etc/ here:
#
#   cmake -D source=DIR -D out=DIR -D version=X -D maintainer="Name <address>" -P export.cmake
#
# makes out/tapgate_X.orig.tar.xz, and out/tapgate-X, in which dpkg-buildpackage can be called. The same
# commit gives the same bytes.
foreach(word source out version maintainer)
  if("${${word}}" STREQUAL "")
    message(FATAL_ERROR "export.cmake: -D ${word}= is missing")
  endif()
endforeach()
set(TAPGATE_MAINTAINER ${maintainer})
set(PROJECT_VERSION ${version})

# What is committed or about to be; without git, all but what was built.
execute_process(COMMAND git -C ${source} ls-files --cached --others --exclude-standard
  OUTPUT_VARIABLE files ERROR_QUIET RESULT_VARIABLE without_git OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND git -C ${source} log -1 --format=%ct
  OUTPUT_VARIABLE time ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
if(without_git)
  file(GLOB_RECURSE files LIST_DIRECTORIES false RELATIVE ${source} ${source}/*)
  list(FILTER files EXCLUDE REGEX "^(build[^/]*|\\.git)/")
else()
  string(REPLACE "\n" ";" files "${files}")
endif()
if(time STREQUAL "")
  file(TIMESTAMP ${source}/CHANGELOG.md time "%s" UTC)
endif()
set(ENV{SOURCE_DATE_EPOCH} ${time})
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)

set(tree ${out}/tapgate-${version})
file(REMOVE_RECURSE ${tree})
foreach(file ${files})
  if(EXISTS ${source}/${file} AND NOT file MATCHES "^etc/debian/")
    cmake_path(GET file PARENT_PATH directory)
    file(COPY ${source}/${file} DESTINATION ${tree}/${directory})
  endif()
endforeach()
execute_process(COMMAND tar --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw
    --mtime=@${time} -C ${out} -cJf ${out}/tapgate_${version}.orig.tar.xz tapgate-${version}
  COMMAND_ERROR_IS_FATAL ANY)

file(COPY ${source}/etc/debian DESTINATION ${tree})
file(REMOVE ${tree}/debian/export.cmake)
foreach(file control changelog)
  configure_file(${tree}/debian/${file}.in ${tree}/debian/${file} @ONLY)
  file(REMOVE ${tree}/debian/${file}.in)
endforeach()
message("${tree}: call dpkg-buildpackage in it, and apt-get build-dep ./ before")

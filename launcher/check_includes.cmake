# Holds one folder of the launcher to what it may use; the build runs it whenever a file there changes:
#
#   cmake -DROOT=TOP -DPART=qemu -DUSES=base,vm -P check_includes.cmake
#
# Fails with file and line of an include that goes where the folder's CMakeLists.txt does not let it, and
# with the files of a circle of includes.
cmake_minimum_required(VERSION 3.25)

file(GLOB files RELATIVE ${ROOT} ${ROOT}/launcher/${PART}/*.h ${ROOT}/launcher/${PART}/*.cc)
string(REPLACE "," ", " allowed "${USES}")
string(REPLACE "," ";" USES "${USES}")
set(wrong "")
foreach(file ${files})
  # A header and its source are one node of the graph.
  string(REGEX REPLACE "\\.(h|cc)$" "" node ${file})
  list(APPEND nodes ${node})
  file(STRINGS ${ROOT}/${file} includes REGEX "^[ \t]*#[ \t]*include[ \t]*\"")
  foreach(include ${includes})
    string(REGEX REPLACE "^[^\"]*\"([^\"]*)\".*$" "\\1" included "${include}")
    string(REGEX REPLACE "^launcher/([a-z/]+)/[^/]*$" "\\1" part ${included})
    string(REGEX REPLACE "/.*" "" outer "${part}") # who may use `foreign' may use `foreign/shell'
    if(part STREQUAL PART)
      string(REGEX REPLACE "\\.h$" "" target ${included})
      if(NOT target STREQUAL node)
        list(APPEND edges_${node} ${target})
      endif()
    elseif(NOT included MATCHES "^common/[^/]*$" AND NOT part IN_LIST USES AND NOT outer IN_LIST USES)
      file(READ ${ROOT}/${file} text)
      string(FIND "${text}" "${include}" position)
      string(SUBSTRING "${text}" 0 ${position} before)
      string(REGEX MATCHALL "\n" newlines "${before}")
      list(LENGTH newlines line)
      math(EXPR line "${line} + 1")
      string(APPEND wrong "${file}:${line}: launcher/${PART} may not include ${included}; it may use "
        "${allowed}\n")
    endif()
  endforeach()
endforeach()

# What includes nothing that is left cannot be in a circle.
list(REMOVE_DUPLICATES nodes)
set(size -1)
list(LENGTH nodes left)
while(NOT left EQUAL size)
  set(size ${left})
  foreach(node ${nodes})
    set(waits FALSE)
    foreach(target ${edges_${node}})
      if(target IN_LIST nodes)
        set(waits TRUE)
      endif()
    endforeach()
    if(NOT waits)
      list(REMOVE_ITEM nodes ${node})
    endif()
  endforeach()
  list(LENGTH nodes left)
endwhile()
if(nodes)
  string(REPLACE ";" ", " circle "${nodes}")
  string(APPEND wrong "launcher/${PART}: these include one another in a circle: ${circle}\n")
endif()

if(wrong)
  # By itself, since a FATAL_ERROR's text is filled up to lines of its own.
  message("${wrong}")
  message(FATAL_ERROR "see launcher/${PART}/CMakeLists.txt, and the folders' table in CONTRIBUTING.md")
endif()
